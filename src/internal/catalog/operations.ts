/**
 * The operations of clients that are remembered, so that each acts once: the last ones of each client, for a time. What
 * is forgotten is known by a number, its client's floor: an operation at or below it is refused.
 */
import type { ClientWindow, OperationId } from "./backend.js"

/** How many operations of a client are remembered, and how far ahead of the highest one the next may be. */
export const windowSize = 1024

/** For how many milliseconds a reply is remembered. */
export const rememberedFor = 24 * 60 * 60 * 1000

/** What is known of an operation before it is judged. */
export type Known<Reply> =
  | { readonly _tag: "New" }
  | { readonly _tag: "Repeated"; readonly reply: Reply }
  | { readonly _tag: "IdReused" | "Forgotten" | "TooFarAhead"; readonly message: string }

export interface RememberedReply<out Reply> {
  readonly n: number
  readonly principal: string
  readonly content: string
  readonly reply: Reply
  /** In milliseconds of the time that its keeper uses. */
  readonly at: number
}

const isNew = { _tag: "New" } as const

/** Judges the number of an operation by what is remembered of its client. */
export const judgeId = <Reply>(
  { content, n, principal }: OperationId,
  remembered: Omit<RememberedReply<Reply>, "n" | "at"> | undefined,
  { floor, top }: ClientWindow
): Known<Reply> => {
  if (remembered !== undefined) {
    if (remembered.principal === principal && remembered.content === content) {
      return { _tag: "Repeated", reply: remembered.reply }
    }
    const message = `the client has used the number ${n} for another operation: use the next one`
    return { _tag: "IdReused", message }
  }
  if (n <= floor) {
    const message = `the numbers up to ${floor} are forgotten: read, and decide anew under a new number`
    return { _tag: "Forgotten", message }
  }
  if (n > top + windowSize) {
    const message = `the number ${n} is more than ${windowSize} above ${top}: send the ones before it first`
    return { _tag: "TooFarAhead", message }
  }
  return isNew
}

/** The floor of a client's window after an operation. */
export const floorAfter = ({ floor, top }: ClientWindow, n: number): number =>
  Math.max(floor, Math.max(top, n) - windowSize)

interface Client<Reply> {
  top: number
  floor: number
  /** In the order in which they were remembered. */
  readonly replies: Map<number, RememberedReply<Reply>>
}

/** The remembered operations of one store in memory, by client. */
export interface Operations<Reply> {
  readonly clients: Map<string, Client<Reply>>
}

export const make = <Reply>(): Operations<Reply> => ({ clients: new Map() })

const noWindow: ClientWindow = { top: 0, floor: 0 }

/** Forgets replies that are older than {@link rememberedFor}. */
const forgetOld = <Reply>(client: Client<Reply>, now: number): void => {
  for (const [n, { at }] of client.replies) {
    if (now - at <= rememberedFor) return
    client.replies.delete(n)
    client.floor = Math.max(client.floor, n)
  }
}

/** Judges an operation. */
export const judge = <Reply>({ clients }: Operations<Reply>, id: OperationId, now: number): Known<Reply> => {
  const client = clients.get(id.client)
  if (client === undefined) return judgeId<Reply>(id, undefined, noWindow)
  forgetOld(client, now)
  return judgeId(id, client.replies.get(id.n), client)
}

/** Remembers the reply to an operation. */
export const remember = <Reply>(
  { clients }: Operations<Reply>,
  { client: name, content, n, principal }: OperationId,
  reply: Reply,
  now: number
): void => {
  let client = clients.get(name)
  if (client === undefined) {
    client = { top: 0, floor: 0, replies: new Map() }
    clients.set(name, client)
  }
  client.replies.set(n, { n, principal, content, reply, at: now })
  const { floor } = client
  client.floor = floorAfter(client, n)
  client.top = Math.max(client.top, n)
  forgetBelow(client, floor)
}

/** Forgets the replies up to the floor, which was lower before: in all, no number is looked at twice. */
const forgetBelow = <Reply>({ floor, replies }: Client<Reply>, from: number): void => {
  if (floor - from <= replies.size) for (let n = from + 1; n <= floor; n++) replies.delete(n)
  else for (const n of replies.keys()) if (n <= floor) replies.delete(n)
}

/** Sets the window of a client that a backend has loaded. */
export const setWindow = <Reply>(
  { clients }: Operations<Reply>,
  name: string,
  { floor, top }: ClientWindow
): void => {
  const client = clients.get(name)
  if (client === undefined) clients.set(name, { top, floor, replies: new Map() })
  else {
    client.top = Math.max(client.top, top)
    client.floor = Math.max(client.floor, floor)
  }
}

/** The most clients of one store whose floors are kept after all their replies are forgotten. */
export const maxClients = 10_000

/** Forgets what is old of all clients. Their floors stay, but for those of the clients that came first, beyond a number. */
export const prune = <Reply>({ clients }: Operations<Reply>, now: number): void => {
  for (const client of clients.values()) forgetOld(client, now)
  let excess = clients.size - maxClients
  if (excess <= 0) return
  for (const [name, { replies }] of clients) {
    if (replies.size > 0) continue
    clients.delete(name)
    if (--excess === 0) return
  }
}
