/**
 * What principals may do. The user's function decides, and its answers are kept until the principal is revoked, or the
 * answer's time is over. Both raise the principal's version: what was judged by an older version counts no more.
 */
import type { Timers } from "../lease/timers.js"

/**
 * What a principal wants to do with a store or pool. `write` covers `touchAs`, `subscribe` also clients that are subscribed by
 * name, and `admin` `endAs`. Calls without a principal are the server's own, which may do everything.
 */
export type Action = "open" | "read" | "write" | "subscribe" | "admin"

/** A store or pool, as rights see it. */
export interface Thing {
  readonly id: string
  readonly kind: string
}

/** What a principal may do with one store or pool. */
export interface Grant<in Row> {
  readonly actions: ReadonlyArray<Action>
  /** Which records it may see, and know of. Pure and synchronous. Default: all. */
  readonly view?: ((row: Row) => boolean) | undefined
  /** Judges a write with the record before and after; left out where there is none. Pure and synchronous. Default: all. */
  readonly mayWrite?: ((before: Row | undefined, after: Row | undefined) => boolean) | undefined
  /** For how many milliseconds the answer holds, such as what is left of a token's life. Default: until `revoke`. */
  readonly ttl?: number | undefined
}

/**
 * Decides what a principal may do with a store or pool; `undefined`: nothing. Synchronous: it answers from what the program
 * knows, and the program calls `revoke` when that has changed. If it throws, the principal may do nothing; if a rule of its
 * answer throws, that allows nothing.
 */
export type Authorize<Row> = (principal: string, thing: Thing) => Grant<Row> | undefined

/** The kept answer of one principal about one store. */
export interface Rights<in Row> {
  readonly actions: ReadonlySet<Action>
  readonly view: ((row: Row) => boolean) | undefined
  readonly mayWrite: ((before: Row | undefined, after: Row | undefined) => boolean) | undefined
  readonly version: number
  /** What was asked about: another kind of the same id has its own answer. */
  readonly kind: string
  /** Monotonic milliseconds. */
  readonly until: number
}

export interface Policy<Row> {
  /** Whether there is anything to judge. */
  readonly isOpen: boolean
  /** What the principal may do now. */
  readonly rights: (principal: string, thing: Thing) => Rights<Row>
  /** The version of a principal's rights: cheap, for every delivery. */
  readonly versionOf: (principal: string, thing: Thing) => number
  /** Raises the principal's version. */
  readonly revoke: (principal: string) => void
  /** Forgets the kept answers about a store that has ended. */
  readonly forget: (id: string) => void
  /** Counts all versions that were given. */
  readonly count: () => number
}

interface State<Row> {
  readonly authorize: Authorize<Row>
  readonly timers: Timers
  /** By principal, then by store. */
  readonly kept: Map<string, Map<string, Rights<Row>>>
  /** The versions of principals that were revoked, oldest first. */
  readonly revoked: Map<string, number>
  /** The version of every other principal. */
  common: number
  versions: number
  onRevoked: (principal: string) => void
}

/** The most principals whose versions are kept one by one. */
const maxRevoked = 100_000

/** The most principals whose answers are kept. */
const maxKept = 10_000

/** The most answers about one principal that are kept: it may ask for stores that were never opened. */
const maxThings = 1000

const everything: ReadonlyArray<Action> = ["open", "read", "write", "subscribe", "admin"]

const nothing: Grant<unknown> = { actions: [] }

const versionNow = <Row>({ common, revoked }: State<Row>, principal: string): number =>
  revoked.get(principal) ?? common

const raise = <Row>(state: State<Row>, principal: string): void => {
  state.kept.delete(principal)
  state.revoked.delete(principal)
  state.revoked.set(principal, ++state.versions)
  if (state.revoked.size > maxRevoked) {
    // The oldest shares its version with all others from now on: their cursors begin anew, and nothing is lost.
    const [oldest] = state.revoked as Iterable<readonly [string, number]>
    state.revoked.delete(oldest![0])
    state.common = oldest![1]
  }
  state.onRevoked(principal)
}

const askFor = <Row>({ authorize }: State<Row>, principal: string, thing: Thing): Grant<Row> => {
  try {
    const grant = authorize(principal, thing)
    return Array.isArray(grant?.actions) ? grant : nothing
  } catch {
    return nothing
  }
}

/** A rule that throws allows nothing. */
const safely =
  <A extends ReadonlyArray<unknown>>(rule: (...given: A) => boolean) =>
  (...given: A): boolean => {
    try {
      return rule(...given)
    } catch {
      return false
    }
  }

const keep = <Row>(state: State<Row>, principal: string, thing: Thing): Rights<Row> => {
  const { actions, mayWrite, ttl, view } = askFor(state, principal, thing)
  const rights: Rights<Row> = {
    actions: new Set(actions.filter((action) => everything.includes(action))),
    view: view && safely(view),
    mayWrite: mayWrite && safely(mayWrite),
    version: versionNow(state, principal),
    kind: thing.kind,
    until: ttl === undefined ? Number.POSITIVE_INFINITY : state.timers.now() + ttl
  }
  let things = state.kept.get(principal)
  if (things === undefined) {
    things = new Map()
    state.kept.set(principal, things)
    if (state.kept.size > maxKept) {
      const [oldest] = state.kept.keys()
      state.kept.delete(oldest!)
    }
  }
  things.delete(thing.id)
  things.set(thing.id, rights)
  if (things.size > maxThings) {
    const [oldest] = things.keys()
    things.delete(oldest!)
  }
  return rights
}

const rightsOf = <Row>(state: State<Row>, principal: string, thing: Thing): Rights<Row> => {
  const known = state.kept.get(principal)?.get(thing.id)
  if (known === undefined || known.kind !== thing.kind) return keep(state, principal, thing)
  if (known.until === Number.POSITIVE_INFINITY || state.timers.now() <= known.until) return known
  raise(state, principal)
  return keep(state, principal, thing)
}

/** Makes the policy of a catalog. `onRevoked` is called after a version was raised. */
export const make = <Row>(
  authorize: Authorize<Row> | undefined,
  timers: Timers,
  onRevoked: (principal: string) => void
): Policy<Row> => {
  const state: State<Row> = {
    authorize: authorize ?? (() => ({ actions: everything })),
    timers,
    kept: new Map(),
    revoked: new Map(),
    common: 0,
    versions: 0,
    onRevoked
  }
  return {
    isOpen: authorize === undefined,
    rights: (principal, thing) => rightsOf(state, principal, thing),
    versionOf: (principal, thing) => rightsOf(state, principal, thing).version,
    revoke: (principal) => raise(state, principal),
    forget: (id) => {
      for (const things of state.kept.values()) things.delete(id)
    },
    count: () => state.versions
  }
}

/** Where the versions of a policy fall among the revisions of a store. */
export interface Marks {
  /** Ascending. `seq`: the store's last revision when the version was given. */
  readonly marks: Array<{ readonly version: number; readonly seq: number }>
}

/** The most marks of one store. Without the oldest, more cursors begin anew. */
const maxMarks = 1024

export const makeMarks = (): Marks => ({ marks: [] })

/** Whether it is noted where all versions up to this one fall. */
export const isMarked = ({ marks }: Marks, version: number): boolean =>
  // Most stores have no mark, and an array has no item -1 that would be found fast.
  (marks.length === 0 ? 0 : marks[marks.length - 1]!.version) >= version

/** Notes, before a revision is made, that versions were given since the last one. */
export const mark = (known: Marks, version: number, seq: number): void => {
  if (isMarked(known, version)) return
  const { marks } = known
  marks.push({ version, seq })
  if (marks.length > maxMarks) marks.splice(0, maxMarks / 2)
}

/**
 * Returns the store's last revision when a version was given, or a later one: cursors before it were made under other
 * rights.
 */
export const seqOf = ({ marks }: Marks, version: number, now: number): number => {
  if (version === 0) return 0
  let low = 0
  let high = marks.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (marks[middle]!.version >= version) high = middle
    else low = middle + 1
  }
  return marks[low]?.seq ?? now
}
