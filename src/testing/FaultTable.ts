/**
 * Decorates any table so that it fails by a script: for tests of what you build on a table or on a `LiveTable`.
 *
 * ```ts
 * const faults = yield* FaultTable.make(yield* Table.memory(keys), [
 *   { of: "read", call: 2, fault: Fault.fail() },
 *   { record: (write) => write._tag === "DeleteAll", fault: Fault.failAfterCommit() }
 * ])
 * const live = yield* LiveTable.make(faults.table)
 * ```
 *
 * A fault is plain data; it meets a call by its number, by its writes, or because it was set as the next one. What
 * happened can be read back: every call, its fault and its end.
 */
export type { Commits, Interruption } from "./internal/fault/script.js"
export {
  type Asked,
  Fault,
  type FaultTable,
  make,
  type ReadCall,
  type TableScript as Script,
  type WriteCall
} from "./internal/fault/table.js"
