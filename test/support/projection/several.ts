/** Projections beside `accounts` of the same events: of other kinds, of all kinds, and one that refuses. */
import { Schema } from "effect"
import * as Projection from "../../../src/Projection.js"
import { accountEvents } from "./accounts.js"

/** Of all kinds. */
export const counts = Projection.define({
  name: "counts",
  events: accountEvents,
  state: Schema.Number,
  initial: 0,
  apply: (count: number) => count + 1
})

export const notes = Projection.define({
  name: "notes",
  events: accountEvents,
  kinds: ["Noted"],
  state: Schema.Array(Schema.String),
  initial: [] as ReadonlyArray<string>,
  apply: (texts, event) => (event.kind === "Noted" ? [...texts, event.data] : texts)
})

/** Has no state above 20. */
export const limits = Projection.define({
  name: "limits",
  events: accountEvents,
  kinds: ["Paid"],
  state: Schema.Number,
  initial: 0,
  incremental: "on",
  apply: (sum: number, event) => {
    const next = event.kind === "Paid" ? sum + event.data.amount : sum
    if (next > 20) throw new Error("above the limit")
    return next
  }
})
