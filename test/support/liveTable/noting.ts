/** Follows in the background, and what they have got so far. */
import { Effect, Stream } from "effect"
import type * as LiveTable from "../../../src/LiveTable.js"
import { Query } from "../../../src/Storage.js"
import { started } from "../time/turn.js"
import { idsOf, type Keys } from "./keys.js"

const active = { where: Query.eq("state", "active") }

/** Follows in the background, and notes what it gets. */
export const noting = <A, E>(answers: Stream.Stream<A, E>, textOf: (answer: A) => string) =>
  Effect.gen(function* () {
    const seen: Array<string> = []
    const fiber = yield* started(
      Effect.flip(Stream.runForEach(answers, (answer) => Effect.sync(() => seen.push(textOf(answer)))))
    )
    return { seen, fiber }
  })

/** Follows the list of the active keys. */
export const listing = (live: LiveTable.Of<Keys>, options?: LiveTable.FollowOptions) =>
  noting(live.follow(active, options), idsOf)
