/**
 * The client's side of an exchange: a replica comes up to date with a server, and follows it from then on. A cut at any
 * message loses nothing: the position is that of a state which was here as a whole, and edits wait until they are answered.
 */
import { type Adopted, adoptRows, dropCells, keepOwn } from "./adopting.js"
import { synchronize } from "./clock.js"
import { differentLeaves, differentNodes, maxLeaves, type NodeSums, sumsOfLeaves } from "./diff.js"
import { type Follower, type FollowerAction, sendToServer } from "./follower.js"
import { hashState } from "./hashedState.js"
import { hashVersion, noteChanges, rootSum } from "./hashTree.js"
import {
  type Delta,
  type EndReason,
  exchangeVersion,
  type Position,
  type ServerMessage,
  type Welcome
} from "./messages.js"
import type { Patch, RowPatch } from "./patch.js"
import { adoptHorizon, receive, stampAnew, takeState, type Unsent } from "./replica.js"
import type { Row } from "./row.js"
import {
  afterAnswer,
  flushEdits,
  ownCells,
  settleAnswers,
  takeAcknowledged,
  takeRejected
} from "./sending.js"

type Actions = ReadonlyArray<FollowerAction>

/** Begins a connection. What was sent on the one before and not answered is sent again. */
export const connect = (follower: Follower, wall: number): Actions => {
  const settled = settleAnswers(follower, wall)
  const { hashed, replica } = follower
  follower.phase = "welcome"
  follower.welcome = undefined
  follower.hasBegunAnew = false
  follower.hasAskedWhole = false
  follower.parts = []
  follower.late = []
  follower.outstanding.length = 0
  follower.sent = 0
  const hello = sendToServer({
    _tag: "Hello",
    version: exchangeVersion,
    hash: hashVersion,
    fingerprint: replica.confirmed.definition.fingerprint,
    epoch: follower.epoch ?? null,
    position: follower.position ?? null,
    horizon: replica.confirmed.horizon,
    root: rootSum(hashed.tree)
  })
  return [...settled, hello]
}

/** Ends a connection that was cut. Edits show and wait. */
export const disconnect = (follower: Follower): void => {
  if (follower.phase !== "ended") follower.phase = "idle"
}

/** Ends an exchange for good: `connect` begins another one. */
export const endFollower = (follower: Follower, reason: EndReason, message: string): Actions => {
  follower.phase = "ended"
  return [{ _tag: "Ended", reason, message }]
}

const unexpected = (follower: Follower): Actions =>
  endFollower(follower, "Unexpected", "a message of the server came out of its turn: connect anew")

/** Everything up to a position is here. */
const goLive = (follower: Follower, epoch: string, position: Position, wall: number): Actions => {
  follower.phase = "live"
  follower.epoch = epoch
  follower.position = position
  return [{ _tag: "Synced" }, ...afterAnswer(follower, wall)]
}

const askWhole = (follower: Follower): Actions => {
  if (follower.hasAskedWhole) {
    const message =
      "the whole state is here and the sums differ still: one side computes them wrong, update it"
    return endFollower(follower, "Diverged", message)
  }
  follower.hasAskedWhole = true
  follower.phase = "whole"
  return [sendToServer({ _tag: "AskWhole" })]
}

const refusedTooOld = (edits: ReadonlyArray<Unsent>): Actions =>
  edits.length === 0
    ? []
    : [
        {
          _tag: "Refused",
          edits,
          reason: "TooOld",
          message: "edits are older than what is remembered of removals: decide on them, and make them anew"
        }
      ]

/** Takes the server's clock. Edits that were made before any was known, and never sent, are stamped by it. */
const takeTime = ({ replica }: Follower, { serverTime }: Welcome, wall: number): void => {
  if (replica.clock.offset === undefined && replica.unsent.length > 0) stampAnew(replica, serverTime, wall)
  else synchronize(replica.clock, serverTime, wall)
}

const takeWelcome = (follower: Follower, welcome: Welcome, wall: number): Actions => {
  if (welcome.version !== exchangeVersion) {
    return endFollower(
      follower,
      "Version",
      `the server's version must be ${exchangeVersion}: update the older side`
    )
  }
  follower.hasBegunAnew = follower.welcome !== undefined
  follower.welcome = welcome
  takeTime(follower, welcome, wall)
  follower.parts = []
  follower.late = []
  const { epoch, nodes, position, resume } = welcome
  if (resume === "whole") {
    follower.phase = "whole"
    follower.hasAskedWhole = true
    return []
  }
  if (welcome.accepts === "none") {
    if (resume !== "delta" || follower.position === undefined) return unexpected(follower)
    follower.phase = "foreign"
    return []
  }
  if (resume === "delta") {
    if (follower.position === undefined || follower.epoch !== epoch) return unexpected(follower)
    return goLive(follower, epoch, follower.position, wall)
  }
  if (resume === "equal") {
    const raised = adoptHorizon(follower.replica, welcome.horizon)
    noteChanges(follower.hashed.tree, raised.changes)
    return [...refusedTooOld(raised.tooOld), ...goLive(follower, epoch, position, wall)]
  }
  const different = nodes === "" ? [] : differentNodes(follower.hashed.tree, nodes)
  // The roots differ, so a node does.
  if (different.length === 0) return askWhole(follower)
  follower.phase = "sums"
  return [sendToServer({ _tag: "Nodes", nodes: different })]
}

const takeSums = (follower: Follower, nodes: ReadonlyArray<NodeSums>): Actions => {
  const { tree } = follower.hashed
  const leaves = differentLeaves(tree, nodes)
  if (leaves.length === 0 || leaves.length > maxLeaves) return askWhole(follower)
  follower.phase = "rows"
  return [sendToServer({ _tag: "Compare", leaves, rows: sumsOfLeaves(tree, leaves) })]
}

/** Merges a change, drops what may be seen no more, and adopts the horizon. */
const mergeDelta = (follower: Follower, { gone, patch }: Delta): Actions => {
  const { hashed, replica } = follower
  const merged = receive(replica, patch)
  if (merged._tag === "Refused")
    return endFollower(follower, "InvalidData", `a change cannot be merged: ${merged.message}`)
  const dropped = dropCells(replica.confirmed, gone)
  const raised = adoptHorizon(replica, patch.horizon)
  const changes = [...merged.changes, ...dropped, ...raised.changes]
  noteChanges(hashed.tree, changes)
  return [
    ...(changes.length === 0 ? [] : ([{ _tag: "Changed", changes }] as const)),
    ...refusedTooOld(raised.tooOld)
  ]
}

/** Merges what came before the server's rows: the rows may be older. Then sends what the server lacks. */
const afterRows = (follower: Follower, missing: Patch, wall: number): Actions => {
  const actions: Array<FollowerAction> = []
  for (const delta of follower.late) actions.push(...mergeDelta(follower, delta))
  follower.late = []
  if ((follower.phase as string) === "ended") return actions
  const { welcome } = follower
  if (missing.rows.length > 0) actions.push(sendToServer({ _tag: "Merge", n: ownCells, patch: missing }))
  if (welcome !== undefined && welcome.hash !== hashVersion) {
    // The sums cannot be compared. The changes since the welcome were merged as they came.
    return [...actions, ...goLive(follower, welcome.epoch, welcome.position, wall)]
  }
  follower.phase = "root"
  return [...actions, ...flushEdits(follower), sendToServer({ _tag: "Verify" })]
}

const adopted = ({ changes, tooOld }: Adopted): Actions => [
  { _tag: "Changed", changes },
  ...refusedTooOld(tooOld)
]

const takeRows = (
  follower: Follower,
  rows: ReadonlyArray<RowPatch>,
  absent: ReadonlyArray<string>,
  wall: number
): Actions => {
  const { hashed, replica, welcome } = follower
  const server = { rows, absent, horizon: welcome?.horizon ?? replica.confirmed.horizon }
  const outcome = adoptRows(replica, hashed, server, welcome?.accepts === "all" ? "keep" : "drop")
  if (outcome._tag === "Refused")
    return endFollower(follower, "InvalidData", `rows cannot be taken: ${outcome.message}`)
  return [...adopted(outcome), ...afterRows(follower, outcome.missing, wall)]
}

const takeWhole = (
  follower: Follower,
  { accepts, epoch, horizon, position }: Welcome,
  wall: number
): Actions => {
  const { replica } = follower
  const whole: Patch = { horizon, rows: follower.parts }
  follower.parts = []
  if (accepts === "none") {
    follower.phase = "foreign"
    follower.epoch = epoch
    follower.position = position
    const later = follower.late.map(
      ({ gone, patch }): FollowerAction => ({ _tag: "Foreign", patch, isWhole: false, gone })
    )
    return [{ _tag: "Foreign", patch: whole, isWhole: true, gone: [] }, ...later]
  }
  const own: ReadonlyArray<[string, Row]> = accepts === "all" ? [...replica.confirmed.rows] : []
  const outcome = takeState(replica, whole)
  if ("_tag" in outcome)
    return endFollower(follower, "InvalidData", `a state cannot be taken: ${outcome.message}`)
  follower.hashed = hashState(replica.confirmed)
  const missing = keepOwn(follower.hashed, own)
  return [{ _tag: "Replaced" }, ...refusedTooOld(outcome), ...afterRows(follower, missing, wall)]
}

const takeDelta = (follower: Follower, delta: Delta): Actions => {
  const { phase, welcome } = follower
  if (phase === "foreign") {
    follower.position = delta.position
    return [{ _tag: "Foreign", patch: delta.patch, isWhole: false, gone: delta.gone }]
  }
  if (phase === "idle" || phase === "welcome") return unexpected(follower)
  if (phase !== "live" && phase !== "root") follower.late.push(delta)
  if (welcome?.accepts === "none") return []
  const actions = mergeDelta(follower, delta)
  if (phase === "live") follower.position = delta.position
  return actions
}

const takeRoot = (follower: Follower, position: Position, root: string, wall: number): Actions => {
  const { hashed, welcome } = follower
  if (welcome === undefined || follower.phase !== "root") return unexpected(follower)
  return root === rootSum(hashed.tree) ? goLive(follower, welcome.epoch, position, wall) : askWhole(follower)
}

const takePart = (
  follower: Follower,
  rows: ReadonlyArray<RowPatch>,
  isLast: boolean,
  wall: number
): Actions => {
  const { parts, phase, welcome } = follower
  if (phase !== "whole" || welcome === undefined) return unexpected(follower)
  for (const row of rows) parts.push(row)
  return isLast ? takeWhole(follower, welcome, wall) : []
}

/** Whether a message answers what the client asked for before the connection began anew with the whole state. */
const isSuperseded = ({ hasBegunAnew, phase }: Follower, { _tag }: ServerMessage): boolean =>
  hasBegunAnew &&
  ((phase === "whole" && (_tag === "Sums" || _tag === "Rows")) || (phase !== "root" && _tag === "Root"))

/** Takes a message of the server. `wall`: the wall clock in milliseconds. */
export const receiveFromServer = (follower: Follower, message: ServerMessage, wall: number): Actions => {
  const { phase } = follower
  if (phase === "ended" || isSuperseded(follower, message)) return []
  switch (message._tag) {
    case "Welcome": {
      // Later ones begin anew with the whole state.
      const isExpected = phase === "welcome" || (phase !== "idle" && message.resume === "whole")
      return isExpected ? takeWelcome(follower, message, wall) : unexpected(follower)
    }
    case "Sums":
      return phase === "sums" ? takeSums(follower, message.nodes) : unexpected(follower)
    case "Rows":
      return phase === "rows" ? takeRows(follower, message.rows, message.absent, wall) : unexpected(follower)
    case "Part":
      return takePart(follower, message.rows, message.isLast, wall)
    case "Delta":
      return takeDelta(follower, message)
    case "Root":
      return takeRoot(follower, message.position, message.root, wall)
    case "Acknowledged":
      return takeAcknowledged(follower, message.n, wall) ?? unexpected(follower)
    case "Rejected":
      return takeRejected(follower, message, wall) ?? unexpected(follower)
    case "End":
      return endFollower(follower, message.reason, message.message)
  }
}
