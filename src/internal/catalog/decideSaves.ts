/**
 * What a batch of saves makes of one store: each save is decided on what the saves before it have made. Nothing is
 * written here. A backend reads what the batch names, decides, and writes the result, all in one commit.
 */
import type { Json } from "../columns/jsonData.js"
import type { Revision } from "../log/events.js"
import { utf8Length } from "../text.js"
import type {
  Broken,
  ClientWindow,
  Decision,
  HeldValue,
  Locked,
  OperationId,
  Remembered,
  Save,
  SaveOutcome,
  StoredChange
} from "./backend.js"

/** A store before a batch: as it is while its head is locked. */
export interface Before extends Pick<Locked, "head" | "now" | "totals"> {
  /** The values of the keys that the batch names. */
  readonly get: (key: string) => HeldValue | undefined
  /** The operations that the batch names, as far as they are remembered. */
  readonly operation: (client: string, n: number) => Remembered | undefined
  readonly window: (client: string) => ClientWindow | undefined
  /** The revision whose entry has the name of a save of the batch. */
  readonly logged: (name: string) => Revision | undefined
}

/** A revision that is to be appended, and the save that it is of. */
export interface Decided {
  readonly revision: Revision
  readonly changes: ReadonlyArray<StoredChange>
  /** The position of the save. */
  readonly index: number
  /** The id of its entry: the name of the save that it is the last revision of. */
  readonly id: string | undefined
}

/** A store after a batch. */
export interface After extends Pick<Locked, "head" | "totals"> {
  /** In the order of the saves. */
  readonly outcomes: ReadonlyArray<SaveOutcome>
  readonly revisions: ReadonlyArray<Decided>
  /** What became of the values that were changed: `undefined` where there is none any more. */
  readonly values: ReadonlyMap<string, HeldValue | undefined>
  /** What is remembered from now on, above the floors of its clients. */
  readonly operations: ReadonlyArray<Remembered>
  /** The windows that were changed. */
  readonly windows: ReadonlyMap<string, ClientWindow>
}

const noWindow: ClientWindow = Object.freeze({ top: 0, floor: 0 })

/** Counts the bytes of a value's JSON, as a store's totals do. */
export const bytesOf = (data: Json): number => utf8Length(JSON.stringify(data))

/** A batch under way. Only the functions of this file write it. */
interface Draft {
  readonly before: Before
  head: Revision
  records: number
  bytes: number
  readonly values: Map<string, HeldValue | undefined>
  readonly operations: Map<string, Remembered>
  readonly windows: Map<string, ClientWindow>
  readonly revisions: Array<Decided>
}

const nameOf = (client: string, n: number): string => `${n} ${client}`

const valueOf = ({ before, values }: Draft, key: string): HeldValue | undefined =>
  values.has(key) ? values.get(key) : before.get(key)

const windowOf = ({ before, windows }: Draft, client: string): ClientWindow =>
  windows.get(client) ?? before.window(client) ?? noWindow

const rememberedOf = ({ before, operations }: Draft, { client, n }: OperationId, floor: number) =>
  n <= floor ? undefined : (operations.get(nameOf(client, n)) ?? before.operation(client, n))

const lockedFor = (draft: Draft, { id, name }: Save): Locked => {
  const { before, bytes, head, records } = draft
  const window = id === undefined ? noWindow : windowOf(draft, id.client)
  return {
    head,
    now: before.now,
    logged: before.logged(name),
    get: (key) => valueOf(draft, key),
    remembered: id === undefined ? undefined : rememberedOf(draft, id, window.floor),
    window,
    totals: { records, bytes }
  }
}

const change = (draft: Draft, change: StoredChange): void => {
  const { key } = change
  const was = valueOf(draft, key)
  const is = change._tag === "Delete" ? undefined : Object.freeze({ key, ...change.value })
  draft.records += (is === undefined ? 0 : 1) - (was === undefined ? 0 : 1)
  draft.bytes += (is === undefined ? 0 : bytesOf(is.data)) - (was === undefined ? 0 : bytesOf(was.data))
  draft.values.set(key, is)
}

const append = (
  draft: Draft,
  { changes, id, index }: Omit<Decided, "revision">,
  tag: () => number
): Revision => {
  const revision = Object.freeze({ epoch: draft.head.epoch, seq: draft.head.seq + 1, tag: tag() })
  draft.head = revision
  for (const one of changes) change(draft, one)
  draft.revisions.push({ revision, changes, index, id })
  return revision
}

const remember = (draft: Draft, id: OperationId, { floor, reply }: Decision): void => {
  const window = windowOf(draft, id.client)
  if (reply !== undefined) {
    const { client, content, n, principal } = id
    draft.operations.set(nameOf(client, n), { client, n, principal, content, reply, at: draft.before.now })
  } else if (floor === undefined) return
  draft.windows.set(id.client, {
    top: reply === undefined ? window.top : Math.max(window.top, id.n),
    floor: Math.max(window.floor, floor ?? 0)
  })
}

const unnamedChange = (save: Save, { revisions }: Decision): Broken | undefined => {
  const keys = save.keys.length > 8 ? new Set(save.keys) : undefined
  const isNamed = (key: string) => keys?.has(key) ?? save.keys.includes(key)
  for (const changes of revisions) {
    const unnamed = changes.find(({ key }) => !isNamed(key))
    if (unnamed === undefined) continue
    const message = `a save changes the key ${JSON.stringify(unnamed.key)}, which it does not name: name it in keys`
    return { _tag: "Broken", message }
  }
  return undefined
}

const decideOne = (draft: Draft, save: Save, index: number, tag: () => number): SaveOutcome => {
  const decision = save.decide(lockedFor(draft, save))
  if ("_tag" in decision) return decision
  const unnamed = unnamedChange(save, decision)
  if (unnamed !== undefined) return unnamed
  const last = decision.revisions.length - 1
  const revisions = decision.revisions.map((changes, n) =>
    append(draft, { changes, index, id: n === last ? save.name : undefined }, tag)
  )
  if (save.id !== undefined) remember(draft, save.id, decision)
  return { _tag: "Saved", revisions, head: draft.head }
}

/**
 * Decides the saves of one store, in their order. Each new revision gets the next number and this tag. The save that is
 * `Broken` leaves out all after it.
 */
export const decideSaves = (saves: ReadonlyArray<Save>, before: Before, tag: () => number): After => {
  const draft: Draft = {
    before,
    head: before.head,
    records: before.totals.records,
    bytes: before.totals.bytes,
    values: new Map(),
    operations: new Map(),
    windows: new Map(),
    revisions: []
  }
  const outcomes: Array<SaveOutcome> = []
  for (const [index, save] of saves.entries()) {
    const last = outcomes.at(-1)
    outcomes.push(last?._tag === "Broken" ? last : decideOne(draft, save, index, tag))
  }
  const { bytes, head, operations, records, revisions, values, windows } = draft
  return {
    head,
    totals: { records, bytes },
    outcomes,
    revisions,
    values,
    operations: [...operations.values()].filter(({ client, n }) => n > windowOf(draft, client).floor),
    windows
  }
}
