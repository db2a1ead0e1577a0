/** Streams the answer of a query page by page: each begins behind the last row of the one before. */
import { Chunk, Effect, Option, Stream } from "effect"
import type { CheckedQuery } from "./query.js"

/** Rows of one page. */
const pageRows = 500

/** Streams what a query selects, with one page in memory at a time. `read` answers a part of the query. */
export const pagesOf = <R extends { readonly [column: string]: unknown }, E>(
  query: CheckedQuery,
  read: (page: CheckedQuery) => Effect.Effect<ReadonlyArray<R>, E>
): Stream.Stream<R, E> =>
  Stream.paginateChunkEffect(
    { after: query.after, offset: query.offset, left: query.limit },
    ({ left, ...place }) => {
      const limit = left === undefined ? pageRows : Math.min(pageRows, left)
      return Effect.map(read({ ...query, ...place, limit }), (rows) => {
        const last = rows.at(-1)
        const rest = left === undefined ? undefined : left - rows.length
        const next =
          last === undefined || rows.length < limit || rest === 0
            ? Option.none()
            : Option.some({ after: query.orderBy.map(({ column }) => last[column]), offset: 0, left: rest })
        return [Chunk.unsafeFromArray(rows), next] as const
      })
    }
  )
