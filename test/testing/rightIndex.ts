/** The index of a change log that keeps every law: it looks through every event that ever was. */
import { Effect, Either } from "effect"
import type * as ChangeLog from "../../src/ChangeLog.js"
import { validateHistory, validateScan } from "../../src/internal/log/checkReading.js"
import { matches, prefix, resolveSelector, validateKey } from "../../src/internal/log/selector.js"
import { type Disk, invalid, moment, type Parts } from "./rightParts.js"

type Index = ChangeLog.KeyIndex<unknown>

const positionOf = ({ event, generation }: ChangeLog.KeyEvent<unknown>): ChangeLog.KeyPosition => ({
  generation,
  revision: event.revision
})

export const rightIndex = (disk: Disk, of: Parts): Index => ({
  history: (key, options) =>
    moment(() => {
      const { after, kinds, limit, upTo = disk.head } = options
      const problem = validateHistory(key, options) ?? of.cursor(disk, upTo) ?? of.place(disk, key, after, of)
      if (problem !== undefined) return Either.left(problem)
      const known = disk.events.filter(({ event }) => event.key === key && event.revision.seq <= upTo.seq)
      const events = known.filter(
        ({ event, generation }) => generation > (after?.generation ?? 0) && of.isOf(event, kinds)
      )
      const last = known.at(-1)
      return Either.right({
        events: events.slice(0, limit),
        more: events.length > limit,
        last: last && positionOf(last),
        head: upTo
      })
    }),
  scan: (options) =>
    Effect.flatMap(resolveSelector(options.selector ?? prefix("")), (selector) =>
      moment(() => {
        const { after, kinds, limit, upTo = disk.head } = options
        const problem = validateScan(options) ?? of.cursor(disk, after) ?? of.cursor(disk, upTo)
        if (problem !== undefined) return Either.left(problem)
        const revisions = disk.rows
          .filter(({ revision }) => revision.seq > after.seq && revision.seq <= upTo.seq)
          .map(({ events, revision }) => ({
            revision,
            previous: undefined,
            events: events.filter((event) => matches(selector, event.key) && of.isOf(event, kinds))
          }))
          .filter(({ events }) => events.length > 0)
          .slice(0, limit)
        return Either.right({ revisions, reached: revisions[limit - 1]?.revision ?? upTo, head: upTo })
      })
    ),
  hold: (name, after) =>
    moment((): Either.Either<void, ChangeLog.ChangeLogError | ChangeLog.EpochChanged> => {
      const problem = validateKey(name)
      if (problem !== undefined) return Either.left(invalid(problem))
      const wrong = of.cursor(disk, after)
      if (wrong?._tag === "EpochChanged") return Either.left(wrong)
      disk.holds.set(name, after.seq)
      return Either.right(undefined)
    }),
  release: (name) => moment(() => Either.right(void disk.holds.delete(name)))
})
