/** What an index of keys must give, worked out from all that its log holds. */
import { expect } from "@effect/vitest"
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { all } from "./places.js"

type Log = ChangeLog.ChangeLog<unknown>

/** The index of a log that has one. */
export const indexOf = (log: Log): ChangeLog.KeyIndex<unknown> => {
  if (log.index === undefined) throw new Error("the log has no index")
  return log.index
}

/** An event of a value's kind, as `key kind@seq`. */
const brief = (event: ChangeLog.Event<unknown>): string =>
  `${event.key} ${event._tag === "Put" ? JSON.stringify(event.value) : "-"}@${event.revision.seq}`

const kindOf = (event: ChangeLog.Event<unknown>): unknown =>
  event._tag === "Put" ? (event.value as { readonly kind?: unknown } | null)?.kind : undefined

/** Reads a key's history in pages, each of the first one's head. */
export const historyOf = (
  log: Log,
  key: string,
  options: { readonly kinds?: ReadonlyArray<string>; readonly limit?: number } = {}
) =>
  Effect.gen(function* () {
    const { kinds, limit = 2 } = options
    const { history } = indexOf(log)
    const events: Array<readonly [generation: number, event: string]> = []
    let page = yield* history(key, { limit, kinds })
    const { head: upTo, last } = page
    for (;;) {
      events.push(...page.events.map(({ event, generation }) => [generation, brief(event)] as const))
      const end = page.events.at(-1)
      if (!page.more || end === undefined) return { events, last }
      const after = { generation: end.generation, revision: end.event.revision }
      page = yield* history(key, { limit, kinds, after, upTo })
    }
  })

/** Scans a log to its end, in pages. */
const scanOf = (
  log: Log,
  after: ChangeLog.Revision,
  options: { readonly selector?: ChangeLog.Selector; readonly kinds?: ReadonlyArray<string> }
) =>
  Effect.gen(function* () {
    const found: Array<ReadonlyArray<string>> = []
    let from = after
    for (;;) {
      const { head, reached, revisions } = yield* indexOf(log).scan({ ...options, after: from, limit: 5 })
      found.push(...revisions.map(({ events }) => events.map(brief)))
      if (reached.seq === head.seq) return found
      from = reached
    }
  })

const anyPrefix = ChangeLog.prefix("/a/")
const selectors: ReadonlyArray<ChangeLog.Selector | undefined> = [
  undefined,
  ChangeLog.prefix(""),
  ChangeLog.key("/a/1"),
  anyPrefix,
  ChangeLog.range("/a/1", "/b"),
  ChangeLog.anyOf(ChangeLog.key("/a/1"), ChangeLog.key("/é"), ChangeLog.key("/a/1")),
  ChangeLog.anyOf(ChangeLog.key("/é"), anyPrefix, ChangeLog.range("/b", "/c"))
]
const kindLists: ReadonlyArray<ReadonlyArray<string> | undefined> = [
  undefined,
  [],
  ["made"],
  ["made", "paid", "none"],
  Array.from({ length: 30 }, (_, n) => (n === 7 ? "paid" : `kind ${n}`))
]

/** Each selector with all kinds, and with one of the lists. */
const scans = selectors.flatMap((selector, n) => [
  { selector, kinds: undefined },
  { selector, kinds: kindLists[1 + (n % (kindLists.length - 1))] }
])

/** Compares everything that the index gives with what the log holds, which is all that it ever held. */
export const expectIndexed = (log: Log) =>
  Effect.gen(function* () {
    const { head } = yield* log.head
    const logged = yield* all(log)
    const events = logged.flatMap((revision) => revision.events)
    for (const [n, key] of [...new Set(events.map((event) => event.key)), "/never"].entries()) {
      const own = events
        .filter((event) => event.key === key)
        .map((event, n) => ({ event, generation: n + 1 }))
      for (const kinds of [undefined, kindLists[n % kindLists.length]]) {
        const { events: found, last } = yield* historyOf(log, key, kinds === undefined ? {} : { kinds })
        expect(found, key).toEqual(
          own
            .filter(({ event }) => isOfKinds(event, kinds))
            .map(({ event, generation }) => [generation, brief(event)])
        )
        const end = own.at(-1)
        expect(last, key).toEqual(end && { generation: end.generation, revision: end.event.revision })
      }
    }
    for (const { kinds, selector } of scans) {
      const options = { ...(selector && { selector }), ...(kinds && { kinds }) }
      const wanted = logged
        .map((revision) =>
          revision.events.filter(
            (event) =>
              (selector === undefined || ChangeLog.matches(selector, event.key)) && isOfKinds(event, kinds)
          )
        )
        .filter((events) => events.length > 0)
      const found = yield* scanOf(log, ChangeLog.start(head.epoch), options)
      expect(found, JSON.stringify(options)).toEqual(wanted.map((events) => events.map(brief)))
    }
  })

const isOfKinds = (event: ChangeLog.Event<unknown>, kinds: ReadonlyArray<string> | undefined): boolean =>
  kinds === undefined || kindOf(event) === "$forgotten" || kinds.some((kind) => kind === kindOf(event))
