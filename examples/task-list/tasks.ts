/** The records of the list, and what people may do with them. */
import { Effect, Schema } from "effect"
import { type Datastore, MergePool } from "effect-recorder"

/** A task. One that is hidden is for editors only. */
export const Task = Schema.Struct({
  id: Schema.String.pipe(Schema.pattern(/^task\/.{1,64}$/u)),
  text: Schema.String.pipe(Schema.maxLength(500)),
  done: Schema.Boolean,
  hidden: Schema.Boolean
})

/** A window that is open: its record ends with its session. */
export const Here = Schema.Struct({
  id: Schema.String.pipe(Schema.pattern(/^here\//u)),
  name: Schema.String
})

export const Entry = Schema.Union(Task, Here)
export type Entry = typeof Entry.Type

/** A link that lets a person in. Its id is the token: who has it acts under the name. */
export const Link = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  role: Schema.Literal("editor", "reader", "revoked"),
  /** When it expires, in milliseconds since 1970; left out: never. */
  until: Schema.optionalWith(Schema.Number, { exact: true })
})
export type Link = typeof Link.Type

/** What a link is good for, and for how many milliseconds more; none: for good. */
export interface Right {
  readonly role: Link["role"]
  readonly ttl?: number
}

/** Decides by the links as they are now. Only the server writes who is here. */
export const authorizeBy =
  (rightOf: (name: string) => Right | undefined): Datastore.Authorize<Datastore.Row<Datastore.JsonObject>> =>
  (name, { id }) => {
    if (id !== "tasks") return undefined
    const right = rightOf(name)
    switch (right?.role) {
      case "editor":
        return {
          actions: ["read", "subscribe", "write"],
          mayWrite: (before, after) => (after ?? before)?.key.startsWith("task/") === true,
          ttl: right?.ttl
        }
      case "reader":
        return { actions: ["read", "subscribe"], view: ({ data }) => data.hidden !== true, ttl: right?.ttl }
      default:
        return undefined
    }
  }

/** What one person, or one list, can take from the others. */
export const quotas: Datastore.Quotas = {
  operationsPerSecond: 20,
  records: 2000,
  valueBytes: 4096,
  bytes: 1024 * 1024,
  subscribers: 500
}

/** Opens the list and the links, which are stored for good. */
export const openStores = (stores: Datastore.Datastores) =>
  Effect.all({
    tasks: stores.open({ id: "tasks", kind: "permanent", schema: Entry }),
    links: stores.open({ id: "links", kind: "permanent", schema: Link })
  })

/** The votes and labels of a task, under its key. They are merged: nothing is lost by the order. */
export const strategies = { votes: MergePool.counter, labels: MergePool.set<string>() }

/** Only editors have a part in the marks: a reader must not learn of hidden tasks by them. */
export const authorizeMarks =
  (rightOf: (name: string) => Right | undefined): MergePool.Authorize<MergePool.PoolCell> =>
  (name) => {
    const right = rightOf(name)
    return right?.role === "editor" ? { actions: ["read", "subscribe", "write"], ttl: right.ttl } : undefined
  }

const label = Schema.String.pipe(Schema.minLength(1), Schema.maxLength(50))

/**
 * What a window sends of the marks of a task. `votes`: all that this window has given, so that what is sent again counts once.
 * `remove` has the cell of the labels as the window has seen it: what another window adds meanwhile stays.
 */
export const Mark = Schema.Struct({
  client: Schema.String.pipe(Schema.pattern(/^\w{1,64}$/)),
  task: Task.fields.id,
  mark: Schema.Union(
    Schema.TaggedStruct("Vote", { votes: Schema.Int.pipe(Schema.between(1, 1000)) }),
    Schema.TaggedStruct("Add", { label }),
    Schema.TaggedStruct("Remove", { label, seen: Schema.NonEmptyArray(Schema.Unknown) })
  )
})

const step = { expect: Schema.optional(Schema.Union(Schema.Number, Schema.Literal("absent"))) }
const { done, hidden, text } = Task.fields

/** What a window sends: the steps are one revision. `n` counts its operations: sent again, one acts once. */
export const Operation = Schema.Struct({
  client: Schema.String.pipe(Schema.pattern(/^\w{1,64}$/)),
  n: Schema.Int.pipe(Schema.between(1, Number.MAX_SAFE_INTEGER)),
  steps: Schema.Array(
    Schema.Union(
      Schema.TaggedStruct("Set", { data: Task, ...step }),
      Schema.TaggedStruct("Patch", {
        key: Schema.String,
        set: Schema.partialWith(Schema.Struct({ done, hidden, text }), { exact: true }),
        ...step
      }),
      Schema.TaggedStruct("Delete", { key: Schema.String, ...step })
    )
  )
})
