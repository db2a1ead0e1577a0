/** Guards of `synced`: what it waits for, and what it does not wait for. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("synced")

const waitsForMore = "waits for what is buffered, and for nothing that is committed later"
const conflates = "of one that conflates: nothing before its head is replaced by what comes behind"

export const syncedGuards: ReadonlyArray<NamedMutant> = [
  guard(
    "wait for a doorbell",
    "internal/watch/registry",
    [
      "Syncs.add(registry.syncs, watcher, done)\n  ring(registry)\n",
      "Syncs.add(registry.syncs, watcher, done)\n"
    ],
    ["watch/synced", "reads the log also when no doorbell rang"]
  ),
  guard(
    "take what is buffered for taken",
    "internal/watch/syncs",
    ["    if (!Watcher.hasTaken(watcher, wait.target.epoch, wait.until)) break\n", ""],
    ["watch/synced", waitsForMore]
  ),
  guard(
    "wait for what comes behind the head",
    "internal/watch/buffer",
    ['return next._tag === "Events" && next.revision.seq > seq', "return false"],
    ["watch/synced", waitsForMore]
  ),
  guard(
    "take what has not been read for taken",
    "internal/watch/syncs",
    ["position.epoch === epoch && position.seq >= seq", "position.epoch === epoch || position.seq >= seq"],
    ["watch/synced", "of one that is behind waits until it has read on from the log, and was taken"]
  ),
  guard(
    "forget those who are live when something was dispatched",
    "internal/watch/registry",
    ["  for (const watcher of fields.syncs.undelivered) settle(registry, watcher)\n", ""],
    ["watch/synced", "asks a log that does not answer again, until it does"]
  ),
  guard(
    "replace what a reader waits for",
    "internal/watch/buffer",
    ["frame.revision.seq <= buffer.keepUpTo", "buffer.keepUpTo < 0"],
    ["watch/synced", conflates]
  ),
  guard(
    "take what was replaced for taken",
    "internal/watch/syncs",
    ["wait.until = Math.max(wait.until, last)", "wait.until = Math.max(wait.until, 0)"],
    ["watch/synced", conflates]
  ),
  guard(
    "take what was dropped for taken before its gap",
    "internal/watch/buffer",
    ['return next.reason === "Overflow" && next.from > seq', 'return next.reason === "Overflow"'],
    ["watch/synced", "of one that drops waits for the gap that announces it"]
  ),
  guard(
    "take a snapshot for later than its head",
    "internal/watch/buffer",
    ['return next._tag === "Events" && next.revision.seq > seq', "return next.revision.seq >= seq"],
    ["watch/synced", "waits for the snapshot of what is gone"]
  ),
  guard(
    "wait for a head of an epoch that is over",
    "internal/watch/registry",
    ["  Syncs.restartAt(registry.syncs, head)\n", ""],
    ["watch/synced", "completes in the new epoch, behind the snapshot that stands for the old one"]
  ),
  guard(
    "wait for a watcher that has ended",
    "internal/watch/registry",
    ["  Syncs.end(registry.syncs, watcher, Watcher.finalError(watcher) ?? ended)\n", ""],
    ["watch/synced", "fails with the end of its watcher, also one that has ended before"]
  ),
  guard(
    "share an answer that was asked for before",
    "internal/watch/dispatcher",
    [
      "setSyncTarget(registry, asked, ",
      "setSyncTarget(registry, asked.concat(Syncs.startAsking(registry.syncs)), "
    ],
    ["watch/synced", "is asked once for many, each after it began"]
  ),
  guard(
    "let the log's error pass in silence",
    "internal/watch/dispatcher",
    ["onFailure: (error) => Syncs.failAsked(registry.syncs, asked, error)", "onFailure: () => undefined"],
    ["watch/synced", "fails with another error of the log, and its watcher goes on"]
  )
]
