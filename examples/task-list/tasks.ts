/** The records of the list, and what people may do with them. */
import { Effect, Schema } from "effect"
import type { Datastore } from "effect-recorder"

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
  role: Schema.Literal("editor", "reader", "revoked")
})
export type Link = typeof Link.Type

/** Decides by the roles of the links as they are now. Only the server writes who is here. */
export const authorizeBy =
  (
    roleOf: (name: string) => Link["role"] | undefined
  ): Datastore.Authorize<Datastore.Row<Datastore.JsonObject>> =>
  (name, { id }) => {
    if (id !== "tasks") return undefined
    switch (roleOf(name)) {
      case "editor":
        return {
          actions: ["read", "subscribe", "write"],
          mayWrite: (before, after) => (after ?? before)?.key.startsWith("task/") === true
        }
      case "reader":
        return { actions: ["read", "subscribe"], view: ({ data }) => data.hidden !== true }
      default:
        return undefined
    }
  }

/** What one person, or one list, can take from the others. */
export const quotas: Datastore.Quotas = {
  operationsPerSecond: 50,
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
