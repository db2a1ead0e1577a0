/** How a client sends its edits, and what it makes of the answers. */
import type { Edit } from "./edits.js"
import { type Follower, type FollowerAction, sendToServer } from "./follower.js"
import { noteChanges } from "./hashTree.js"
import type { Rejected } from "./messages.js"
import type { Refused } from "./patch.js"
import { confirmWhere, dropEdits, makeEdit, stampAnew } from "./replica.js"

/** The most edits that wait for answers; and how many are confirmed at once while others wait. */
const maxOutstanding = 256

/** The number of what a client sends beside its edits, which count from 1. */
export const ownCells = 0

/** Sends the edits that were not sent on this connection. */
export const flushEdits = (follower: Follower): ReadonlyArray<FollowerAction> => {
  const { outstanding, phase, rejected, replica } = follower
  if ((phase !== "live" && phase !== "root") || rejected.size > 0) return []
  const actions: Array<FollowerAction> = []
  for (const { n, patch } of replica.unsent) {
    if (n <= follower.sent) continue
    if (outstanding.length >= maxOutstanding) break
    outstanding.push(n)
    follower.sent = n
    actions.push(sendToServer({ _tag: "Merge", n, patch }))
  }
  return actions
}

/** Confirms what was accepted. */
const confirmAccepted = ({ accepted, hashed, replica }: Follower): ReadonlyArray<FollowerAction> => {
  if (accepted.size === 0) return []
  const changes = confirmWhere(replica, (n) => accepted.has(n))
  accepted.clear()
  noteChanges(hashed.tree, changes)
  return changes.length === 0 ? [] : [{ _tag: "Changed", changes }]
}

/** Leaves out what was refused; edits that are ahead of the server's time get new stamps instead. */
const settleRejected = (
  follower: Follower,
  wall: number,
  accepted: number
): ReadonlyArray<FollowerAction> => {
  const { rejected, replica } = follower
  if (rejected.size === 0) return []
  const all = [...rejected.values()]
  rejected.clear()
  // What is left was made over what was refused: it is made anew, and sent again.
  follower.sent = 0
  const refused = all.filter(({ serverTime }) => serverTime === null)
  const left = refused.length === 0 ? [] : dropEdits(replica, new Set(refused.map(({ n }) => n)))
  const serverTime = all.filter((each) => each.serverTime !== null).at(-1)?.serverTime
  if (typeof serverTime === "number") stampAnew(replica, serverTime, wall, accepted)
  return refused.flatMap(({ message, n, reason }) => {
    const edits = left.filter((each) => each.n === n)
    // What the horizon has passed meanwhile was handed out already.
    return edits.length === 0 ? [] : [{ _tag: "Refused", edits, reason, message } as const]
  })
}

/**
 * Settles all answers. What was accepted is confirmed first, as it was sent: it must not be made anew over less.
 */
export const settleAnswers = (follower: Follower, wall: number): ReadonlyArray<FollowerAction> => {
  const last = Math.max(0, ...follower.accepted)
  return [...confirmAccepted(follower), ...settleRejected(follower, wall, last)]
}

/** Takes note of an answer. Answers come in the order of what was sent. */
const noteAnswer = ({ outstanding }: Follower, n: number): boolean => {
  if (outstanding[0] !== n) return false
  outstanding.shift()
  return true
}

/** Settles what may be settled, and sends what waits. */
export const afterAnswer = (follower: Follower, wall: number): ReadonlyArray<FollowerAction> => {
  const { accepted, outstanding, phase, rejected } = follower
  // An answer may come before its change: what is compared with the server's sums must not hold it.
  if (phase !== "live") return flushEdits(follower)
  if (outstanding.length === 0) return [...settleAnswers(follower, wall), ...flushEdits(follower)]
  // Each confirmation passes over all edits that wait.
  const isDue = rejected.size === 0 && accepted.size >= maxOutstanding
  return [...(isDue ? confirmAccepted(follower) : []), ...flushEdits(follower)]
}

/** Takes the acknowledgement of an edit; `undefined`: it was not expected. */
export const takeAcknowledged = (
  follower: Follower,
  n: number,
  wall: number
): ReadonlyArray<FollowerAction> | undefined => {
  if (n === ownCells) return []
  if (!noteAnswer(follower, n)) return undefined
  follower.accepted.add(n)
  return afterAnswer(follower, wall)
}

/** Takes the refusal of an edit; `undefined`: it was not expected. */
export const takeRejected = (
  follower: Follower,
  rejected: Rejected,
  wall: number
): ReadonlyArray<FollowerAction> | undefined => {
  if (rejected.n === ownCells) return []
  if (!noteAnswer(follower, rejected.n)) return undefined
  follower.rejected.set(rejected.n, rejected)
  return afterAnswer(follower, wall)
}

/** Makes an edit, which shows at once, and sends it as soon as may be. A refused one changes nothing. */
export const editFollower = (
  follower: Follower,
  edit: Edit,
  wall: number
): ReadonlyArray<FollowerAction> | Refused => {
  const made = makeEdit(follower.replica, edit, wall)
  return "_tag" in made ? made : flushEdits(follower)
}
