/** Followers as a property: they are cut and resume, while rows come and go under views and rights that change. */
import { describe, it } from "@effect/vitest"
import { Effect, Either, Exit, Option, Runtime, Scope, Stream } from "effect"
import fc from "fast-check"
import * as Datastore from "../../src/Datastore.js"
import { ensure } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../support/time/virtualTime.js"
import * as Followers from "./datastore/followers.js"

type Item = Followers.Item

const keys = ["a", "b", "c", "d"]
const owners = ["x", "y", "z"]
const tokenTtl = 50

type Action =
  | { readonly do: "set"; readonly key: string; readonly owner: string; readonly v: number }
  | { readonly do: "delete"; readonly key: string }
  | { readonly do: "take" | "cut"; readonly who: number }
  | { readonly do: "revoke" | "change"; readonly whose: number; readonly sees: Followers.Sees }
  | { readonly do: "probe"; readonly whose: number; readonly key: string }
  | { readonly do: "pass" }

const only = <const Name extends string>(...names: ReadonlyArray<Name>) => fc.constantFrom(...names)
const key = fc.constantFrom(...keys)
const whose = fc.nat(1)
const sees = fc.option(fc.subarray(owners), { nil: undefined, freq: 5 })

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: only("set"), key, owner: fc.constantFrom(...owners), v: fc.nat(3) })
  },
  { weight: 2, arbitrary: fc.record({ do: only("delete"), key }) },
  { weight: 8, arbitrary: fc.record({ do: only("take"), who: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: only("cut"), who: fc.nat(3) }) },
  { weight: 3, arbitrary: fc.record({ do: only("revoke", "change"), whose, sees }) },
  { weight: 3, arbitrary: fc.record({ do: only("probe"), whose, key }) },
  { weight: 1, arbitrary: fc.record({ do: only("pass") }) }
)

const samples = fc.array(action, { minLength: 10, maxLength: 60 })

interface Reader extends Followers.Follower {
  scope: Scope.CloseableScope
  pull: Effect.Effect<Iterable<Parameters<typeof Followers.take>[1]>, Option.Option<Datastore.FollowEnded>>
  isPulling: boolean
  ended: Datastore.FollowEnded | undefined
}

interface World {
  readonly time: VirtualTime
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  readonly stores: Datastore.Datastores
  readonly store: Datastore.StoreHandle<Item>
  readonly principals: ReadonlyArray<Followers.Principal>
  /** What was written last. */
  readonly rows: Map<string, Followers.Row>
  readonly readers: ReadonlyArray<Reader>
  /** What a check has thrown in the turn of a reader. */
  readonly failures: Array<unknown>
}

const now = ({ time }: Pick<World, "time">): number => time.clock.unsafeCurrentTimeMillis()

const noteVisible = (principal: Followers.Principal, rows: Iterable<Followers.Row>, at: number): void => {
  const sees = Followers.rightsAt(principal, at)
  for (const row of rows) if (Followers.isVisible(sees, row)) principal.mayKnow.add(row.key)
}

const begin = async ({ run, store, time }: World, reader: Reader): Promise<void> => {
  await run(Scope.close(reader.scope, Exit.void))
  reader.scope = await run(Scope.make())
  reader.ended = undefined
  reader.isPulling = false
  const frames = store.follow({
    as: { principal: reader.principal.name, client: reader.principal.name },
    view: (row) => Followers.wants(reader, row),
    after: reader.cursor
  })
  reader.pull = await run(Scope.extend(Stream.toPull(frames), reader.scope))
  await time.settle()
}

/** Takes what comes next; what waits for it is taken when it comes. */
const take = async (world: World, reader: Reader): Promise<void> => {
  const { failures, run, time } = world
  if (reader.isPulling || reader.ended !== undefined) return time.settle()
  reader.isPulling = true
  const { scope } = reader
  run(Effect.either(reader.pull))
    .then((pulled) => {
      if (reader.scope !== scope) return
      reader.isPulling = false
      if (Either.isLeft(pulled)) reader.ended = Option.getOrUndefined(pulled.left)
      else for (const frame of pulled.right) Followers.take(reader, frame, now(world))
    })
    .catch((failure) => failures.push(failure))
  await time.settle()
}

/** What a principal asks for by itself shows nothing that it may not see. */
const probe = async (world: World, principal: Followers.Principal, key: string): Promise<void> => {
  const { run, store } = world
  const as = { principal: principal.name }
  const row = Option.getOrUndefined(await run(store.get(key)))
  const sees = Followers.rightsAt(principal, now(world))
  const isSeen = row !== undefined && Followers.isVisible(sees, row)
  const got = await run(store.get(key, { as }))
  ensure(Option.isSome(got) === isSeen, `K4: a get finds what is visible, ${key}`)
  const { rows } = await run(store.snapshot({ as }))
  ensure(
    rows.every((one) => Followers.isVisible(sees, one)),
    "K4: a snapshot shows what is visible"
  )
  for (const write of [
    store.patch(key, { set: { v: 1 } }, { as, expect: 2 ** 40 }),
    store.delete(key, { as, expect: 2 ** 40 })
  ]) {
    const refused = await run(Effect.flip(write as Effect.Effect<unknown, unknown>))
    const text = JSON.stringify(refused)
    if (row !== undefined && !isSeen) {
      ensure(!text.includes(row.data.secret), `K4: a refusal shows no hidden row: ${text}`)
      ensure(!text.includes("Conflict"), `K4: a condition does not find a hidden row: ${text}`)
    }
  }
}

const act = async (world: World, action: Action): Promise<void> => {
  const { principals, readers, rows, run, store, stores, time } = world
  switch (action.do) {
    case "set": {
      const { key: id, owner, v } = action
      const data: Item = { id, owner, v, secret: `secret of ${id}` }
      // A follower may get it before its writer is answered.
      rows.set(id, { key: id, data, seq: 0 })
      for (const principal of principals) noteVisible(principal, rows.values(), now(world))
      await run(store.set(data))
      break
    }
    case "delete":
      rows.delete(action.key)
      await run(store.delete(action.key))
      break
    case "take":
      return take(world, readers[action.who]!)
    case "cut":
      return begin(world, readers[action.who]!)
    case "probe":
      return probe(world, principals[action.whose]!, action.key)
    case "revoke":
    case "change": {
      const principal = principals[action.whose]!
      principal.wanted = action.sees
      if (action.do === "change") return
      principal.until = Number.NEGATIVE_INFINITY
      noteVisible(principal, rows.values(), now(world))
      await run(stores.revoke(principal.name))
      break
    }
    case "pass":
      await time.advance(tokenTtl + 1)
  }
}

/** Takes all that comes; who has ended begins again, after what it took. */
const settle = async (world: World): Promise<void> => {
  for (const reader of world.readers) {
    if (Followers.rightsAt(reader.principal, now(world)) === undefined) continue
    for (let idle = 0; idle < 2; ) {
      if (reader.ended !== undefined) await begin(world, reader)
      await take(world, reader)
      idle = reader.isPulling ? idle + 1 : 0
    }
  }
}

const play = async (opening: Datastore.OpenOptions<Item, Item>, actions: ReadonlyArray<Action>) => {
  const time = virtualTime()
  const runIn = Runtime.runPromise(runtimeIn(time))
  const run: World["run"] = async (effect) => {
    let isDone = false
    const done = runIn(effect).finally(() => {
      isDone = true
    })
    done.catch(() => undefined)
    while (!isDone) await time.settle()
    return done
  }
  const principals = ["ann", "bob"].map(
    (name): Followers.Principal => ({
      name,
      wanted: owners.slice(0, 2),
      sees: owners.slice(0, 2),
      until: Number.NEGATIVE_INFINITY,
      mayKnow: new Set()
    })
  )
  const rows = new Map<string, Followers.Row>()
  const ttl = (name: string) => (name === "bob" ? tokenTtl : undefined)
  const scope = await run(Scope.make())
  const backend = await run(Datastore.memory())
  const authorize: Datastore.Options["authorize"] = (name) => {
    const principal = principals.find((one) => one.name === name)!
    principal.sees = principal.wanted
    const { sees } = principal
    const hasToken = sees !== undefined && ttl(name) !== undefined
    principal.until = hasToken ? now({ time }) + tokenTtl : Number.POSITIVE_INFINITY
    noteVisible(principal, rows.values(), now({ time }))
    return (
      sees && {
        actions: ["read", "write", "subscribe"],
        view: ({ data }) => sees.includes(String(data.owner)),
        ttl: ttl(name)
      }
    )
  }
  const made = Scope.extend(Datastore.make(backend, { authorize }), scope)
  const stores = await run(made)
  const store = await run(stores.open<Item>({ id: "board", maxRevisions: 6, ...opening }))
  const closed = await run(Scope.make())
  const readers = [0, 1, 2, 3].map(
    (i): Reader => ({
      principal: principals[i % 2]!,
      isPicky: i > 1,
      held: new Map(),
      cursor: undefined,
      scope: closed,
      pull: Effect.never,
      isPulling: false,
      ended: undefined
    })
  )
  const world: World = { time, run, stores, store, principals, rows, readers, failures: [] }
  for (const reader of readers) await begin(world, reader)
  for (const one of actions) {
    await act(world, one)
    await time.settle()
    if (world.failures.length > 0) throw world.failures[0]
  }
  await settle(world)
  if (world.failures.length > 0) throw world.failures[0]
  const { rows: last } = await run(store.snapshot())
  for (const reader of readers) Followers.checkEqual(reader, last, now(world))
  const closing = runIn(Scope.close(scope, Exit.void))
  await time.advance(20_000)
  await closing
}

describe.each([
  ["a temporary store", {}],
  ["a permanent store with ack memory", { kind: "permanent", ack: "memory" }],
  ["a permanent store with ack flushed", { kind: "permanent" }]
] as const)("K3-K5: followers of %s", (_, opening) => {
  it.live(
    "end equal, and get and learn what they may see now",
    () => holdsSeeded("K3-K5", samples, 25, (actions) => play(opening, actions)),
    seededTimeout
  )
})
