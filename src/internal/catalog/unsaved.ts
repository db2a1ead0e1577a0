/** What was accepted and could not be stored, to be handed back by the close report. */
import { StorageError } from "../../Storage.js"
import type { Save } from "./backend.js"
import type { Saving } from "./saving.js"

/** The most that is kept to be handed back. Beyond it the oldest is released. */
const maxUnsaved = 10_000

/** Keeps one more, and the last 10,000 at least. */
export const keep = <U>(unsaved: Array<U>, one: U): void => {
  unsaved.push(one)
  if (unsaved.length >= 2 * maxUnsaved) unsaved.splice(0, unsaved.length - maxUnsaved)
}

const notStored = (message: string): StorageError =>
  new StorageError({ kind: "Fatal", outcome: "NotStored", message })

/**
 * Gives a saving what was decided in memory. `failed` is called once if it cannot be stored, perhaps at once; `false`: it was
 * not taken. `store` counts what has no outcome yet.
 */
export const offerDecided = (
  saving: Saving,
  store: { pending: number },
  save: Save,
  failed: (error: StorageError) => void
): boolean => {
  store.pending++
  const isTaken = saving.offer(save, (outcome) => {
    store.pending--
    if (outcome._tag === "Saved") return
    failed(outcome._tag === "StorageError" ? outcome : notStored(outcome.message))
  })
  if (isTaken) return true
  store.pending--
  failed(notStored("nothing is saved any more, see the status"))
  return false
}
