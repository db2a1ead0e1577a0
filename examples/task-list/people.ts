/** The people of the list: the links that let them in, and who is here. */
import { randomBytes } from "node:crypto"
import { Effect, type Scope } from "effect"
import { Datastore } from "effect-recorder"
import { authorizeBy, type Entry, type Link, openStores, quotas } from "./tasks.js"

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
  readonly links: () => ReadonlyArray<Link>
  /** The link with a token, also one that is revoked. */
  readonly linkOf: (token: string) => Link | undefined
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

/** Opens the list over a backend. `grace`: how many milliseconds a window may be away without being gone. */
export const openTaskList = <E, R>(backend: Effect.Effect<Datastore.Backend, E, R>, grace = 5000) =>
  Effect.gen(function* () {
    const byToken = new Map<string, Link>()
    const roles = new Map<string, Link["role"]>()
    const stores = yield* Datastore.makeDeferred(backend, {
      name: "task-list",
      authorize: authorizeBy((name) => roles.get(name)),
      quotas
    })
    const { links, tasks } = yield* openStores(stores)
    const save = (link: Link) =>
      Effect.map(links.set(link), () => {
        byToken.set(link.id, link)
        roles.set(link.name, link.role)
      })
    const { rows } = yield* links.snapshot()
    const first = invited.map((one) => ({ id: randomBytes(16).toString("hex"), ...one }))
    yield* Effect.forEach(rows.length === 0 ? first : rows.map(({ data }) => data), save)
    const list: TaskList = {
      tasks,
      links: () => [...byToken.values()],
      linkOf: (token) => byToken.get(token),
      revoke: (name) => {
        const taken = [...byToken.values()].filter((link) => link.name === name)
        return Effect.andThen(
          Effect.forEach(taken, (link) => save({ ...link, role: "revoked" })),
          stores.revoke(name)
        )
      },
      present: presence(stores.leases, tasks, grace)
    }
    return list
  })
