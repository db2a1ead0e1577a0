/**
 * What two sides of an exchange send each other, as JSON. The server decides; the client follows it, and sends its edits.
 *
 * - A connection begins with `Hello` and `Welcome`, which chooses how the client comes up to date: by the changes since its
 *   position, by the hash tree, or by the whole state.
 * - By the tree, at most 4 round trips: `Hello`, `Nodes`, `Compare`, `Verify`.
 * - Each change of the pool is a `Delta`. All changes up to the position of a `Root` are sent before it.
 */
import type { NodeSums, RowSum } from "./diff.js"
import type { Sum } from "./hashTree.js"
import type { CellName, Patch, RowPatch } from "./patch.js"
import type { Stamp } from "./stamp.js"

/** The version of the messages. */
export const exchangeVersion = 1

/** In place of the version of sums: the server compares none with this client, which sees a part of the pool. */
export const noSums = 0

/** How far a client has come in one life of a pool. Only the server reads it. */
export type Position = string

/** Begins a connection. */
export interface Hello {
  readonly _tag: "Hello"
  readonly version: number
  /** The version of the client's sums. */
  readonly hash: number
  /** Of the client's fields and strategies. */
  readonly fingerprint: string
  /** The life of the pool that the client followed, and how far; `null`: none. */
  readonly epoch: string | null
  readonly position: Position | null
  readonly horizon: Stamp
  readonly root: Sum
}

/** What a client sends. */
export type ClientMessage =
  | Hello
  /** Asks for the sums of the leaves of nodes. */
  | { readonly _tag: "Nodes"; readonly nodes: ReadonlyArray<number> }
  /** Asks for the rows that differ: of those named, and all others of the leaves. */
  | {
      readonly _tag: "Compare"
      readonly leaves: ReadonlyArray<number>
      readonly rows: ReadonlyArray<RowSum>
    }
  /** Asks for the whole state, once a connection. */
  | { readonly _tag: "AskWhole" }
  /** Cells that the client has written. `n` names them in the answer. */
  | { readonly _tag: "Merge"; readonly n: number; readonly patch: Patch }
  /** Asks for the sum of all cells after what was sent before. */
  | { readonly _tag: "Verify" }

/** How a client comes up to date. */
export type Resume = "delta" | "equal" | "tree" | "whole"

/** Whose cells a client may send: those with its own stamps, all, or none, because its strategies differ. */
export type Accepts = "own" | "all" | "none"

/**
 * Answers a {@link Hello}. With `resume: "whole"` it comes also later, when a client has fallen too far behind, or its rights
 * have changed: the state that follows replaces all that the client had.
 */
export interface Welcome {
  readonly _tag: "Welcome"
  readonly version: number
  /** The version of the server's sums, or {@link noSums}. */
  readonly hash: number
  readonly fingerprint: string
  readonly epoch: string
  readonly position: Position
  readonly horizon: Stamp
  /** The server's time in milliseconds. */
  readonly serverTime: number
  readonly resume: Resume
  readonly accepts: Accepts
  /** The sums of the nodes; empty unless the client resumes by the tree. */
  readonly nodes: string
}

/** A change of the pool, at its position in the pool's order. */
export interface Delta {
  readonly _tag: "Delta"
  readonly position: Position
  readonly patch: Patch
  /** Cells that the client may see no more. */
  readonly gone: ReadonlyArray<CellName>
}

/**
 * Why one side ends an exchange.
 *
 * - `Malformed`, `InvalidData`, `Unexpected`, `Version`: the other side has sent what this one does not take.
 * - `Diverged`: the sums differ still when the whole state was sent.
 * - `Unauthorized`: the client may see nothing any more. `Refused`: it may not begin.
 * - `Expired`, `Ended`, `Failed`, `Closed`, `Unloaded`: the pool has ended so, or its catalog; or the client was unsubscribed.
 */
export type EndReason = (typeof endReasons)[number]

export const endReasons = [
  "Diverged",
  "InvalidData",
  "Malformed",
  "Unexpected",
  "Version",
  "Unauthorized",
  "Refused",
  "Expired",
  "Ended",
  "Failed",
  "Closed",
  "Unloaded"
] as const

/** The last message of an exchange. */
export interface End {
  readonly _tag: "End"
  readonly reason: EndReason
  readonly message: string
}

/** Answers a merge that was refused. */
export interface Rejected {
  readonly _tag: "Rejected"
  readonly n: number
  readonly reason: string
  readonly message: string
  /** The server's time in milliseconds, if a stamp is ahead of it. */
  readonly serverTime: number | null
}

/** What a server sends. */
export type ServerMessage =
  | Welcome
  | Delta
  | Rejected
  | End
  | { readonly _tag: "Sums"; readonly nodes: ReadonlyArray<NodeSums> }
  /** The rows that differ, as the server has them, and those of the client that it has not. */
  | { readonly _tag: "Rows"; readonly rows: ReadonlyArray<RowPatch>; readonly absent: ReadonlyArray<string> }
  /** A part of the whole state. */
  | { readonly _tag: "Part"; readonly rows: ReadonlyArray<RowPatch>; readonly isLast: boolean }
  | { readonly _tag: "Acknowledged"; readonly n: number }
  | { readonly _tag: "Root"; readonly position: Position; readonly root: Sum }

/** Makes the last message of an exchange. */
export const endWith = (reason: EndReason, message: string): End => ({ _tag: "End", reason, message })
