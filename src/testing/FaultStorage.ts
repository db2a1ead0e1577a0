/**
 * Decorates any storage so that it fails by a script: for tests of what you build on a storage or on a recorder.
 *
 * ```ts
 * const faults = yield* FaultStorage.make(Storage.memory<Entry>(), [
 *   { call: 1, fault: Fault.failAfterCommit() },
 *   { record: (entry) => entry.user === "mallory", fault: Fault.refuse() }
 * ])
 * const recorder = yield* Recorder.make(faults.storage)
 * ```
 *
 * A fault is plain data; it meets a call by its number, by the records of its batch, or because it was set as the next
 * one. What happened can be read back: every call with its batch, its fault and its end.
 */
export { type Commits, Fault, type Interruption, type Rule, type Script } from "./internal/fault/script.js"
export { type FaultStorage, type LoadCall, make, type SaveCall } from "./internal/fault/storage.js"
