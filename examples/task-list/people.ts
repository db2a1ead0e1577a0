/** The people of the list: the links that let them in, and who is here. */
import { createHash, randomBytes } from "node:crypto"
import { Effect, Option, type Scope } from "effect"
import { Datastore, MergePool } from "effect-recorder"
import {
  authorizeBy,
  authorizeMarks,
  type Entry,
  type Link,
  type Mark,
  openStores,
  quotas,
  type Right,
  strategies
} from "./tasks.js"

/** Who is let in at first: a link for each. */
const invited = [
  { name: "ada", role: "editor" },
  { name: "bob", role: "editor" },
  { name: "guest", role: "reader" }
] as const

/** A window of a person. */
export interface Window {
  readonly principal: string
  readonly client: string
}

/** The list, and its people. */
export interface TaskList {
  readonly tasks: Datastore.StoreHandle<Entry>
  readonly marks: MergePool.PoolHandle
  /** Merges a mark of a window of a person. */
  readonly mark: (
    principal: string,
    mark: typeof Mark.Type
  ) => Effect.Effect<void, MergePool.MergeError | MergePool.StoreEnded>
  readonly links: () => ReadonlyArray<Link>
  /** The link with a token, also one that is revoked. */
  readonly linkOf: (token: string) => Link | undefined
  readonly isExpired: (link: Link) => boolean
  /** Takes a person's rights away, here and after a restart. */
  readonly revoke: (name: string) => Effect.Effect<void, Datastore.WriteError | Datastore.StoreEnded>
  /** Shows a window among those who are here, from now until a grace after the scope. */
  readonly present: (
    window: Window
  ) => Effect.Effect<void, Datastore.WriteError | Datastore.StoreEnded, Scope.Scope>
}

/** A window that is connected again goes on with its session, as long as the grace is not over. */
const presence = (
  { sessions }: Datastore.Leases,
  tasks: Datastore.StoreHandle<Entry>,
  grace: number
): TaskList["present"] => {
  const secrets = new Map<string, { readonly id: string; readonly secret: string }>()
  const nameOf = (client: string, principal = "") => `${principal} ${client}`
  sessions.onEnd(({ client, principal }) => {
    secrets.delete(nameOf(client, principal))
  })
  const connect = ({ client, principal }: Window): Datastore.Session => {
    const known = secrets.get(nameOf(client, principal))
    const resumed = known && sessions.resume(known.id, known.secret, principal)
    if (resumed?._tag === "Resumed") return resumed.session
    const { secret, session } = sessions.open({ client, principal, grace })
    secrets.set(nameOf(client, principal), { id: session.id, secret })
    return session
  }
  return (window) =>
    Effect.acquireRelease(
      Effect.sync(() => connect(window)),
      ({ generation, id }) => Effect.sync(() => sessions.disconnected(id, generation))
    ).pipe(
      Effect.flatMap(({ id }) =>
        tasks.set({ id: `here/${window.client}`, name: window.principal }, { session: id })
      ),
      Effect.asVoid
    )
}

/** The most windows whose replicas are held. */
const maxReplicas = 1000

/** Marks a task as a window sees it: the server has a replica for each window, whose client id follows from the window. */
const marking = (marks: MergePool.PoolHandle): TaskList["mark"] => {
  const replicas = new Map<string, MergePool.ReplicaHandle>()
  const replicaOf = (principal: string, window: string) => {
    const hash = createHash("sha256").update(`${principal} ${window}`).digest("base64url")
    const client = `0${hash.slice(0, 10)}`
    const known = replicas.get(client)
    if (known !== undefined) return Effect.succeed(known)
    // Its options are right.
    return Effect.tap(Effect.orDie(MergePool.replica(strategies, { client })), (made) =>
      Effect.sync(() => {
        // A window that marks again after that gets another one of the same id.
        for (const oldest of replicas.size < maxReplicas ? [] : replicas.keys()) {
          replicas.delete(oldest)
          break
        }
        replicas.set(client, made)
      })
    )
  }
  const editOf = (replica: MergePool.ReplicaHandle, { mark, task }: typeof Mark.Type) =>
    Effect.gen(function* () {
      switch (mark._tag) {
        case "Vote": {
          const row = Option.getOrUndefined(yield* replica.get(task))
          const by = mark.votes - Number(row?.get("votes") ?? 0)
          return yield* replica.edit(task, { votes: { _tag: "Increment", by } })
        }
        case "Add":
          return yield* replica.edit(task, { labels: { _tag: "Add", members: [mark.label] } })
        case "Remove": {
          // The replica judges what is no cell.
          const cell = mark.seen as unknown as MergePool.EncodedCell
          yield* replica.receive({ horizon: "", rows: [[task, "", [["labels", ...cell]]]] })
          return yield* replica.edit(task, { labels: { _tag: "Remove", members: [mark.label] } })
        }
      }
    })
  return (principal, given) =>
    Effect.gen(function* () {
      const replica = yield* replicaOf(principal, given.client)
      const { n, patch } = yield* editOf(replica, given)
      yield* marks.merge(patch, { as: { principal, client: replica.client } })
      yield* replica.confirm(n)
    })
}

const day = 24 * 60 * 60 * 1000

/**
 * Opens the list over a backend. `grace`: how many milliseconds a window may be away without being gone. `guestFor`: how
 * many the link of a reader lives.
 */
export const openTaskList = <E, R>(
  backend: Effect.Effect<Datastore.Backend, E, R>,
  grace = 5000,
  guestFor = day
) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const byToken = new Map<string, Link>()
    const byName = new Map<string, Link>()
    const isExpired = ({ until = Number.POSITIVE_INFINITY }: Link) => until <= clock.unsafeCurrentTimeMillis()
    const rightOf = (name: string): Right | undefined => {
      const link = byName.get(name)
      if (link === undefined || isExpired(link)) return undefined
      const { role, until } = link
      return until === undefined ? { role } : { role, ttl: until - clock.unsafeCurrentTimeMillis() }
    }
    const stores = yield* Datastore.makeDeferred(backend, {
      name: "task-list",
      authorize: authorizeBy(rightOf),
      quotas
    })
    const pools = yield* MergePool.makeDeferred(backend, {
      name: "task-marks",
      authorize: authorizeMarks(rightOf),
      leases: stores.leases,
      quotas
    })
    const { links, tasks } = yield* openStores(stores)
    const marks = yield* pools.open({ id: "marks", kind: "permanent", strategies })
    const save = (link: Link) =>
      Effect.map(links.set(link), () => {
        byToken.set(link.id, link)
        byName.set(link.name, link)
      })
    const { rows } = yield* links.snapshot()
    const until = clock.unsafeCurrentTimeMillis() + guestFor
    const first = invited.map(
      (one): Link => ({
        id: randomBytes(16).toString("hex"),
        ...one,
        ...(one.role === "reader" ? { until } : {})
      })
    )
    yield* Effect.forEach(rows.length === 0 ? first : rows.map(({ data }) => data), save)
    const list: TaskList = {
      tasks,
      marks,
      mark: marking(marks),
      links: () => [...byToken.values()],
      linkOf: (token) => byToken.get(token),
      isExpired,
      revoke: (name) => {
        const taken = [...byToken.values()].filter((link) => link.name === name)
        return Effect.andThen(
          Effect.forEach(taken, (link) => save({ ...link, role: "revoked" })),
          Effect.andThen(stores.revoke(name), pools.revoke(name))
        )
      },
      present: presence(stores.leases, tasks, grace)
    }
    return list
  })
