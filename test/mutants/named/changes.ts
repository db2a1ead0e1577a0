/** Guards of the changes that a cache follows: what it may trust, and where it goes on. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("changes")

const test = "liveTable/changes"

export const changesGuards: ReadonlyArray<NamedMutant> = [
  guard(
    "trust what was loaded before the follow began",
    "internal/liveTable/changesState",
    ["    fields.callbacks.onGap()\n", ""],
    [test, "begins so far back of the head, and is trusted when it has caught up"]
  ),
  guard(
    "trust before it has caught up",
    "internal/liveTable/changesState",
    ["const isTrusted = fields.hasCaughtUp && !fields.isSilent", "const isTrusted = !fields.isSilent"],
    [test, "that ends is opened again behind its position, without a gap"]
  ),
  guard(
    "trust while the log is silent",
    "internal/liveTable/changesState",
    ["const isTrusted = fields.hasCaughtUp && !fields.isSilent", "const isTrusted = fields.hasCaughtUp"],
    [test, "of a log that is silent is not trusted so long, and reloads nothing afterwards"]
  ),
  guard(
    "begin anew although the log can go on",
    "internal/liveTable/changesState",
    ["isLost ? undefined : position", "isLost ? undefined : undefined"],
    [test, "that ends is opened again behind its position, without a gap"]
  ),
  guard(
    "go on where the log cannot",
    "internal/liveTable/changesState",
    [
      'if (isGone || endsGone || _tag === "Defect") fields.isLost = true',
      'if (_tag === "Defect") fields.isLost = true'
    ],
    [test, "that cannot go on begins anew, as a gap"]
  ),
  guard(
    "go on behind what a cache has thrown on",
    "internal/liveTable/changesState",
    ['if (isGone || endsGone || _tag === "Defect")', "if (isGone || endsGone)"],
    [test, "whose cache throws begins anew, as a gap"]
  ),
  guard(
    "compare numbers of two epochs",
    "internal/liveTable/changesState",
    [
      "before !== undefined && before.epoch !== at.epoch",
      "before !== undefined && before.epoch === at.epoch"
    ],
    [test, "of another epoch is reset before it counts as a gap"]
  ),
  guard(
    "begin at the head",
    "internal/liveTable/changes",
    ["{ back: history }", "{ back: 0 * history }"],
    [test, "begins so far back of the head, and is trusted when it has caught up"]
  ),
  guard(
    "pause again before a log is followed anew",
    "internal/liveTable/changes",
    ["        if (resumed && State.resumesAfter(changes) === undefined) return before\n", ""],
    [test, "that cannot go on begins anew, as a gap"]
  ),
  guard(
    "keep the pauses of an outage that is over",
    "internal/liveTable/changes",
    ["changes.hasCaughtUp ? reset", "changes.hasCaughtUp ? Effect.void"],
    [test, "is opened from 200 ms to every 30 s while the log does not answer"]
  ),
  guard(
    "wait for a doorbell",
    "internal/liveTable/changes",
    ["watcher.synced", "Effect.as(Effect.never, revision)"],
    [test, "reads the log although no doorbell rang, also for a change that does not match"]
  ),
  guard(
    "forget where a head was that nothing matched up to",
    "internal/liveTable/changes",
    ["        State.advanceTo(changes, watcher, head)\n", ""],
    [test, "reads the log although no doorbell rang, also for a change that does not match"]
  ),
  guard(
    "wait for an epoch that is over",
    "internal/liveTable/changes",
    ['head.epoch === revision.epoch ? Effect.never : Effect.succeed("NotReached" as const)', "Effect.never"],
    [test, "of another epoch is not waited for"]
  ),
  guard(
    "wait for another epoch when the follow is there again",
    "internal/liveTable/changesState",
    ['    waiter.done("NotReached")\n', ""],
    [test, "of another epoch is not waited for by a follow that is opened again"]
  ),
  guard(
    "apply everything in one turn",
    "internal/liveTable/changes",
    [
      "if (clock.unsafeCurrentTimeNanos() > until) return { count, hasMore: true }",
      "if (clock.unsafeCurrentTimeNanos() < until - until) return { count, hasMore: true }"
    ],
    [test, "are applied in slices, one at the end of each turn"]
  ),
  guard(
    "forget a key without forgetting what came before",
    "internal/liveTable/recentChanges",
    ["    fields.from = at\n", ""],
    [test, "of as many keys are known as the history is long"]
  ),
  guard(
    "keep a key where it first changed",
    "internal/liveTable/recentChanges",
    ["  last.delete(key)\n", ""],
    [test, "of as many keys are known as the history is long"]
  ),
  guard(
    "know the changes before a change of anything",
    "internal/liveTable/changesState",
    [
      "if (callbacks.concernsAll(event)) RecentChanges.restart(recent, revision.seq)\n    else RecentChanges",
      "RecentChanges"
    ],
    [test, "are not known from before a change of anything"]
  ),
  guard(
    "begin a follow of the past at the head",
    "internal/watch/opening",
    ["if (back > 0) return backOf(source, back)", "if (back < 0) return backOf(source, back)"],
    ["watch/cursors", "is delivered these, or what the log holds"]
  )
]
