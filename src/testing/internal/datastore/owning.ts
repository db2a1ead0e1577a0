/** The laws of ownership, and of sessions. */
import { Duration, Effect, Exit, Scope } from "effect"
import type { Ownership, SessionLeases } from "../../../internal/catalog/backend.js"
import { ensure, exitOf, refuses, succeeds } from "../calls.js"
import { sameData } from "../sameData.js"
import { hardTexts } from "../values.js"
import {
  type BackendFixture,
  type DatastoreTrial,
  datastoreLaw,
  type StoreFixture,
  shown,
  writes
} from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

/** Owns a name in a scope of its own. */
const owned = (
  trial: DatastoreTrial,
  { backend }: BackendFixture,
  name: string
): Effect.Effect<Ownership & { readonly end: Effect.Effect<void, string> }, string, Scope.Scope> =>
  Effect.gen(function* () {
    const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
    const ownership = yield* succeeds(trial, `owning ${shown(name)}`, Scope.extend(backend.own(name), scope))
    return { ...ownership, end: succeeds(trial, "ending an ownership", Scope.close(scope, Exit.void)) }
  })

const isOwned = (trial: DatastoreTrial, { backend }: BackendFixture, name: string) =>
  refuses(trial, `owning ${shown(name)}, which is owned`, "Owned", () => Effect.scoped(backend.own(name)))

const isFatal = (
  trial: DatastoreTrial,
  { backend }: BackendFixture,
  what: string,
  store: string,
  token: string | undefined
): Effect.Effect<void, string> =>
  Effect.flatMap(
    refuses(trial, `saving ${what}`, "StorageError", () =>
      backend.save([trial.step(store, writes([["k", "wrong"]]))], token)
    ),
    ({ kind }) => ensure(kind === "Fatal", `saving ${what} failed as ${shown(kind)}, and must as "Fatal"`)
  )

const ownership: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D30",
      name: "one-owner",
      group: "ownership",
      statement: "A name has one owner at a time, whatever backend asks; other names are not concerned.",
      advice: "Let the database hold a lock or a row for the name, as long as the scope of the owner lives"
    },
    (trial) =>
      Effect.gen(function* () {
        const backend = yield* trial.another
        yield* owned(trial, trial, "catalog")
        yield* isOwned(trial, trial, "catalog")
        const { by } = yield* isOwned(trial, backend, "catalog")
        yield* ensure(typeof by === "string", `it is owned by ${shown(by)}`)
        yield* owned(trial, backend, "Catalog")
        const scope = yield* Effect.scope
        const racing = yield* Effect.forEach(
          [trial, backend],
          ({ backend }) => exitOf(trial, "owning a name at once", Scope.extend(backend.own("raced"), scope)),
          { concurrency: "unbounded" }
        )
        const winners = racing.filter(Exit.isSuccess).length
        yield* ensure(winners === 1, `of two that own a name at once ${winners} have it`)
      })
  ),
  datastoreLaw(
    {
      id: "D31",
      name: "taken-over",
      group: "ownership",
      statement:
        "After the scope of an owner has ended, the next one has another token, and the old one saves nothing.",
      advice: "Write a new token with each ownership, and compare it in the transaction of a save"
    },
    (trial) =>
      Effect.gen(function* () {
        const { holds } = yield* trial.open("a", { owner: "catalog" })
        const backend = yield* trial.another
        yield* backend.open("a")
        const first = yield* owned(trial, trial, "catalog")
        yield* trial.save([trial.step("a", writes([["k", 1]]))], first.token)
        yield* first.end
        yield* isFatal(trial, trial, "with the token of an ownership that has ended", "a", first.token)
        const second = yield* owned(trial, backend, "catalog")
        yield* ensure(second.token !== first.token, "two ownerships have the same token")
        yield* isFatal(trial, trial, "with the token of the owner before", "a", first.token)
        yield* holds("after saves with an old token", [["k", 1, 1]])
        yield* backend.save([trial.step("a", writes([["k", 2]]))], second.token)
        yield* holds("after a save of the new owner", [["k", 2, 2]])
      })
  ),
  datastoreLaw(
    {
      id: "D32",
      name: "saved-by-its-owner",
      group: "ownership",
      statement:
        "A store that has an owner is saved with the token of that name alone, without it it is Broken; any other one needs no token.",
      advice: "Keep a token for each name, and compare that of the store's owner"
    },
    (trial) =>
      Effect.gen(function* () {
        const { holds } = yield* trial.open("a", { owner: "catalog" })
        const free = yield* trial.open("free")
        const first = yield* owned(trial, trial, "other")
        const { token } = yield* owned(trial, trial, "catalog")
        yield* first.end
        yield* trial.save([trial.step("a", writes([["k", 1]]))], token)
        const other = yield* owned(trial, trial, "other")
        yield* trial.save([trial.step("a", writes([["k", 2]]))], token)
        for (const foreign of [undefined, other.token]) {
          const saves = ["a", "free"].map((id) => trial.step(id, writes([["k", "foreign"]])))
          const tags = (yield* trial.save(saves, foreign)).map(({ _tag }) => _tag)
          yield* ensure(
            sameData(tags, ["Broken", "Saved"]),
            `without its owner's token the outcomes are ${shown(tags)}`
          )
        }
        yield* holds("after other names changed owners, and others saved", [["k", 2, 2]])
        yield* free.holds("after saves of a store without an owner", [["k", "foreign", 2]])
      })
  )
]

/** The leases of a backend, whose calls have to succeed. */
const leases = ({ call }: BackendFixture) => {
  const of = <A>(what: string, use: (sessions: SessionLeases) => Effect.Effect<A, unknown>) =>
    call(what, ({ sessions }) => use(sessions))
  return {
    extend: (ttl: number, ...ids: ReadonlyArray<string>) =>
      of("extending leases", ({ extend }) => extend(ids.map((id) => ({ id, ttl })))),
    ended: (limit = 100) => of("reading the ended sessions", ({ ended }) => ended(limit)),
    forget: (...ids: ReadonlyArray<string>) => of("forgetting sessions", ({ forget }) => forget(ids)),
    keysOf: (store: string, session: string) =>
      Effect.map(
        of("reading the keys of a session", ({ keysOf }) => keysOf(store, session)),
        (keys) => keys.slice().sort()
      )
  }
}

type Leases = ReturnType<typeof leases>

const hasKeys = (
  when: string,
  { keysOf }: Leases,
  store: string,
  session: string,
  expected: ReadonlyArray<string>
): Effect.Effect<void, string> =>
  Effect.flatMap(keysOf(store, session), (keys) =>
    ensure(
      sameData(keys, expected),
      `${when}, the keys of the session ${shown(session)} are ${shown(keys)} instead of ${shown(expected)}`
    )
  )

const hasEnded = (
  when: string,
  { ended }: Leases,
  expected: { readonly [session: string]: ReadonlyArray<string> }
): Effect.Effect<void, string> =>
  Effect.flatMap(ended(), (all) => {
    const seen = Object.fromEntries(all.map(({ id, stores }) => [id, stores.slice().sort()]))
    return ensure(
      sameData(seen, expected),
      `${when}, ${shown(seen)} have ended instead of ${shown(expected)}`
    )
  })

const moment = 50
const behindMoment = Duration.millis(60)
const hour = 3_600_000

const ends = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    yield* trial.open("a")
    yield* trial.open("b")
    const own = leases(trial)
    const theirs = leases(yield* trial.another)
    yield* own.extend(moment, "short", "extended", "empty")
    yield* own.extend(hour, "long")
    yield* trial.save([
      trial.step("a", writes([["x", 1, { session: "short" }]], [["y", 1, { session: "extended" }]])),
      trial.step("b", writes([["x", 1, { session: "short" }]], [["z", 1, { session: "long" }]]))
    ])
    yield* theirs.extend(hour, "extended")
    yield* trial.pass(behindMoment)
    const expected = { short: ["a", "b"], empty: [] }
    for (const each of [own, theirs, leases(yield* trial.another)]) {
      yield* hasEnded("after a lease is over", each, expected)
    }
    const limited = yield* own.ended(1)
    yield* ensure(limited.length === 1, `one ended session was asked for, and there are ${limited.length}`)
    yield* own.extend(moment, "long")
    yield* trial.pass(behindMoment)
    yield* hasEnded("after a lease was shortened", theirs, { ...expected, long: ["b"] })
  })

const keys = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    yield* trial.open("a")
    yield* trial.open("b")
    const own = leases(trial)
    yield* trial.save([
      trial.step(
        "a",
        writes([
          ["x", 1, { session: "s" }],
          ["y", 1, { session: "s" }],
          ["z", 1, { session: "t" }],
          ["none", 1]
        ])
      ),
      trial.step("b", writes([["other", 1, { session: "s" }]]))
    ])
    yield* hasKeys("after writes", own, "a", "s", ["x", "y"])
    yield* hasKeys("after writes", own, "b", "s", ["other"])
    yield* hasKeys("after writes", own, "a", "S", [])
    yield* trial.save([
      trial.step(
        "a",
        writes(
          [
            ["x", 2, { session: "t" }],
            ["y", undefined]
          ],
          [["z", 2]]
        )
      )
    ])
    for (const each of [own, leases(yield* trial.another)]) {
      yield* hasKeys("after its keys have other writers", each, "a", "s", [])
      yield* hasKeys("after its keys have other writers", each, "a", "t", ["x"])
      yield* hasKeys("after a write in another store", each, "b", "s", ["other"])
    }
    const names = [...hardTexts.filter((text) => text !== ""), "__proto__"]
    yield* trial.save([trial.step("a", writes(names.map((name) => [name, 1, { session: name }])))])
    for (const name of names) yield* hasKeys("of hard names", own, "a", name, [name])
  })

const sessions: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D33",
      name: "keys-of-a-session",
      group: "sessions",
      statement: "The keys of a session are those whose values were written in it last, in this store.",
      advice: "Keep the session beside the value, and replace it with each write, also by none"
    },
    keys
  ),
  datastoreLaw(
    {
      id: "D34",
      name: "leases-end",
      group: "sessions",
      statement:
        "A session has ended once its last lease is over, for every backend, with the stores that have values of it.",
      advice: "Keep when a lease ends on the backend's clock, and let each extension replace it"
    },
    ends
  ),
  datastoreLaw(
    {
      id: "D35",
      name: "forgotten-without-values",
      group: "sessions",
      statement:
        "A session is forgotten when no value of it is left, and stays ended as long as there is one.",
      advice: "Delete the lease where no value of the session exists, in one statement"
    },
    (trial) =>
      Effect.gen(function* () {
        const store: StoreFixture = yield* trial.open("a")
        const own = leases(trial)
        yield* own.extend(moment, "s", "t")
        yield* trial.save([trial.step("a", writes([["x", 1, { session: "s" }]]))])
        yield* trial.pass(behindMoment)
        yield* own.forget("s", "t", "unknown")
        yield* hasEnded("after both were forgotten, and one has a value", own, { s: ["a"] })
        yield* store.holds("after sessions were forgotten", [["x", 1, 1]])
        yield* trial.save([trial.step("a", writes([["x", undefined]]))])
        yield* hasEnded("after its last value was removed", own, { s: [] })
        yield* own.forget("s")
        yield* hasEnded("after it was forgotten", own, {})
      })
  )
]

export const datastoreLawsOfOwning: ReadonlyArray<DatastoreLaw> = [...ownership, ...sessions]
