/** The client's side of an exchange as data: how far it came, and what waits for an answer. */
import { type HashedState, hashState } from "./hashedState.js"
import type { ClientMessage, Delta, EndReason, Position, Rejected, Welcome } from "./messages.js"
import type { CellName, Patch, RowPatch } from "./patch.js"
import type { Replica, Unsent } from "./replica.js"
import type { RowChange } from "./row.js"

/** What a client waits for. */
export type FollowerPhase =
  | "idle"
  | "welcome"
  | "sums"
  | "rows"
  | "whole"
  | "root"
  | "live"
  /** It follows with other strategies, and cannot merge. */
  | "foreign"
  | "ended"

/** A replica that follows a server. Only `following.ts` and `sending.ts` write it. */
export interface Follower {
  readonly replica: Replica
  /** What is confirmed, with its tree. */
  hashed: HashedState
  phase: FollowerPhase
  /** The life of the pool that was followed last, and up to where all of it is here. */
  epoch: string | undefined
  position: Position | undefined
  /** Of this connection. */
  welcome: Welcome | undefined
  /** The server has begun anew with the whole state. */
  hasBegunAnew: boolean
  hasAskedWhole: boolean
  /** The parts of the whole state so far. */
  parts: Array<RowPatch>
  /** Changes that came before the rows that they may be newer than. */
  late: Array<Delta>
  /** The edits that were sent on this connection and are not answered, in order. */
  readonly outstanding: Array<number>
  /** The last edit that was sent on this connection. */
  sent: number
  /** Edits that were acknowledged and are not confirmed yet: what is confirmed is compared with the server's sums before. */
  readonly accepted: Set<number>
  /** Edits that were refused. Nothing is sent until all before are answered. */
  readonly rejected: Map<number, Rejected>
}

/** What the client does next, or shows its program. In order. */
export type FollowerAction =
  | { readonly _tag: "Send"; readonly message: ClientMessage }
  /** Rows changed. */
  | { readonly _tag: "Changed"; readonly changes: ReadonlyArray<RowChange> }
  /** Any row may have changed: the whole state was taken. */
  | { readonly _tag: "Replaced" }
  /** Cells of a pool with other strategies, which are not merged. `isWhole`: in place of all that came before. */
  | {
      readonly _tag: "Foreign"
      readonly patch: Patch
      readonly isWhole: boolean
      /** Cells that may be seen no more. */
      readonly gone: ReadonlyArray<CellName>
    }
  /** Edits that are shown no more, and why. */
  | {
      readonly _tag: "Refused"
      readonly edits: ReadonlyArray<Unsent>
      readonly reason: string
      readonly message: string
    }
  /** All that the server held when it answered is here. */
  | { readonly _tag: "Synced" }
  | { readonly _tag: "Ended"; readonly reason: EndReason; readonly message: string }

/** Makes the client's side of an exchange. */
export const makeFollower = (replica: Replica): Follower => ({
  replica,
  hashed: hashState(replica.confirmed),
  phase: "idle",
  epoch: undefined,
  position: undefined,
  welcome: undefined,
  hasBegunAnew: false,
  hasAskedWhole: false,
  parts: [],
  late: [],
  outstanding: [],
  sent: 0,
  accepted: new Set(),
  rejected: new Map()
})

/** Makes the action that sends a message. */
export const sendToServer = (message: ClientMessage): FollowerAction => ({ _tag: "Send", message })
