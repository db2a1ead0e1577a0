/** Which clients follow what, so that one that leaves is removed at once, whatever it follows. */

/** The client of a follow that no client asked for: the server's own. */
export const noClient = ""

/** A follow of a client, from before it opens until it has ended. */
export interface Subscription {
  readonly client: string
  /** On whose behalf it follows; none: the server's own. */
  readonly principal: string | undefined
  /** The store or pool. */
  readonly id: string
  /** Ends it, also while it opens. Synchronous; a second call does nothing. */
  readonly end: () => void
}

/** The clients that were subscribed to a store or pool by name. */
export type Members = Set<string>

export interface Clients {
  readonly byClient: Map<string, Set<Subscription>>
  readonly byThing: Map<string, Set<Subscription>>
  readonly byPrincipal: Map<string, Set<Subscription>>
  /** The sets of members that a client is in. */
  readonly memberships: Map<string, Set<Members>>
}

export const make = (): Clients => ({
  byClient: new Map(),
  byThing: new Map(),
  byPrincipal: new Map(),
  memberships: new Map()
})

const addTo = <A>(index: Map<string, Set<A>>, name: string, entry: A): void => {
  const known = index.get(name)
  if (known === undefined) index.set(name, new Set([entry]))
  else known.add(entry)
}

const removeFrom = <A>(index: Map<string, Set<A>>, name: string, entry: A): void => {
  const known = index.get(name)
  if (known?.delete(entry) === true && known.size === 0) index.delete(name)
}

export const add = ({ byClient, byPrincipal, byThing }: Clients, subscription: Subscription): void => {
  addTo(byClient, subscription.client, subscription)
  addTo(byThing, subscription.id, subscription)
  if (subscription.principal !== undefined) addTo(byPrincipal, subscription.principal, subscription)
}

export const remove = ({ byClient, byPrincipal, byThing }: Clients, subscription: Subscription): void => {
  removeFrom(byClient, subscription.client, subscription)
  removeFrom(byThing, subscription.id, subscription)
  if (subscription.principal !== undefined) removeFrom(byPrincipal, subscription.principal, subscription)
}

/** Counts the follows of a store or pool. */
export const countOf = ({ byThing }: Clients, id: string): number => byThing.get(id)?.size ?? 0

/** Returns the clients that follow a store or pool, each once. */
export const clientsOf = ({ byThing }: Clients, id: string): ReadonlyArray<string> =>
  Array.from(new Set(Array.from(byThing.get(id) ?? [], ({ client }) => client))).filter(
    (client) => client !== noClient
  )

/** Ends every follow of a client, in one store or pool or in all. Returns how many. */
export const endAll = (clients: Clients, client: string, id?: string): number => {
  const known = Array.from(clients.byClient.get(client) ?? [])
  const ending = id === undefined ? known : known.filter((subscription) => subscription.id === id)
  for (const subscription of ending) {
    remove(clients, subscription)
    subscription.end()
  }
  return ending.length
}

/** Adds a client to the members of a store or pool. Returns whether it was new. */
export const join = ({ memberships }: Clients, members: Members, client: string): boolean => {
  if (members.has(client)) return false
  members.add(client)
  addTo(memberships, client, members)
  return true
}

/** Removes a client from the members of a store or pool. Returns whether it was there. */
export const leave = ({ memberships }: Clients, members: Members, client: string): boolean => {
  if (!members.delete(client)) return false
  removeFrom(memberships, client, members)
  return true
}

/** Removes all members of a store or pool that has ended. */
export const dismiss = (clients: Clients, members: Members): void => {
  for (const client of members) leave(clients, members, client)
}

/** Ends every follow of a client, and removes it from all members, whatever else there is. Returns how many. */
export const unsubscribe = (clients: Clients, client: string): number => {
  const joined = Array.from(clients.memberships.get(client) ?? [])
  for (const members of joined) leave(clients, members, client)
  return endAll(clients, client) + joined.length
}

/** Returns the stores and pools that a principal follows. */
export const followedBy = ({ byPrincipal }: Clients, principal: string): ReadonlySet<string> =>
  new Set(Array.from(byPrincipal.get(principal) ?? [], ({ id }) => id))

/** Counts all follows. */
export const sizeOf = ({ byClient }: Clients): number => {
  let size = 0
  for (const subscriptions of byClient.values()) size += subscriptions.size
  return size
}
