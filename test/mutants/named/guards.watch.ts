/** Guards of the watch and of its responses over HTTP, each held by one test. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("watch")

const late = "what is known of the log is as old as the question, however late the answer is"

const offering: ReadonlyArray<NamedMutant> = [
  guard(
    "take a late answer for what is so now",
    "internal/watch/dispatcher",
    [
      "({ answer, askedAt }))\n    })",
      "({ answer, askedAt: Math.max(askedAt, dispatcher.millis()) }))\n    })"
    ],
    ["watch/health", late]
  ),
  guard(
    "take a late heartbeat for what is so now",
    "internal/watch/heartbeat",
    [
      "answered(dispatcher, head, askedAt))",
      "answered(dispatcher, head, Math.max(askedAt, dispatcher.millis())))"
    ],
    ["watch/health", late]
  ),
  guard(
    "offer what was known at the start",
    "internal/watch/fanOut",
    [" || frames.logged.revision.seq <= watcher.deliveredFrom) return", ") return"],
    ["watch/cursors", "is not delivered what comes to them before it began"]
  ),
  guard(
    "offer to a watcher that reads on from the log",
    "internal/watch/fanOut",
    ["if (!Watcher.isLive(watcher) || frames", "if (Watcher.hasEnded(watcher) || frames"],
    ["watch/slow", "resync: reads on from the log, and misses nothing"]
  ),
  guard(
    "leave out the revision that found no room",
    "internal/watch/fanOut",
    ["      Watcher.readOnAfter(watcher, before)\n      return false", "      return false"],
    ["watch/slow", "resync: reads on from the log, and misses nothing"]
  ),
  guard(
    "deliver a whole revision to a watcher of a part",
    "internal/watch/fanOut",
    ["frames, Watcher.takeMatched(watcher), before)", "frames, void Watcher.takeMatched(watcher), before)"],
    ["watch/watch", "many keys come in one stream, each event once, a revision whole"]
  ),
  guard(
    "pass over what finds no room while reading on",
    "internal/watch/fanOut",
    [
      "    if (Watcher.isFull(watcher)) return false\n    let",
      "    if (Watcher.isFull(watcher)) positions.length = 0\n    let"
    ],
    ["watch/slow", "resync: reads on from the log, and misses nothing"]
  ),
  guard(
    "offer to a watcher of a predicate without a look",
    "internal/watch/watcher",
    ["const takesAll = where === undefined && view", "const takesAll = view"],
    ["watch/watch", "a predicate filters inside of the selector"]
  ),
  guard(
    "offer to a watcher of the values before without a look",
    "internal/watch/watcher",
    ["view === undefined && !previous\n", "view === undefined\n"],
    ["watch/watch", "delivers the value before, when it is asked to"]
  ),
  guard(
    "offer to a watcher that is ahead without a look",
    "internal/watch/watcher",
    ["cursor === undefined && deliveredFrom <= (position?.seq ?? 0)", "cursor === undefined"],
    ["watch/cursors", "is not delivered what comes to them before it began"]
  ),
  guard(
    "offer to a watcher that has fallen behind without a look",
    "internal/watch/watcher",
    ["  fields.cursor = cursor\n  fields.room = 0\n", "  fields.cursor = cursor\n"],
    ["watch/slow", "resync: what it reads on from the log comes before what is committed meanwhile"]
  ),
  guard(
    "find an owner of several parts several times",
    "internal/watch/keyIndex",
    ["found.filter((owner, i) => i === 0 || owner !== found[i - 1])", "found"],
    ["watch/watch", "many keys come in one stream, each event once, a revision whole"]
  ),
  guard(
    "leave a watcher that has ended among the others",
    "internal/watch/registry",
    ["  remove(registry, watcher)\n", ""],
    ["watch/watch", "unregisters with its release, with its scope, and once"]
  )
]

const readingOn: ReadonlyArray<NamedMutant> = [
  guard(
    "let a watcher that has room wait for the next commit",
    "internal/watch/registry",
    ["    ring(registry)\n  } else if", "  } else if"],
    ["watch/slow", "resync: reads on from the log, and misses nothing"]
  ),
  guard(
    "forget what a watcher holds that is gone later",
    "internal/watch/watcher",
    ["return frame === undefined || fields.heldKeys === undefined ? frame", "return frame !== null ? frame"],
    ["watch/slow", "autoResnapshot: it gets a gap and a snapshot, with what it held and is gone"]
  ),
  guard(
    "pass over what is gone without a word to those who are live",
    "internal/watch/dispatcher",
    ["Registry.restartAt(registry, head)", "Registry.skipTo(registry, head)"],
    ["watch/slow", "a renewed epoch ends watchers with EpochChanged, and the cursor is refused"]
  ),
  guard(
    "read a revision again that was read before",
    "internal/watch/dispatcher",
    ["|| watcher.cursor.seq >= row.revision.seq) continue", ") continue"],
    ["watch/slow", "resync: several that read on at once are each delivered what they have not had"]
  ),
  guard(
    "drop without a Gap",
    "internal/watch/buffer",
    ['frames[i] = { _tag: "Gap", from: seq, to: seq, reason: "Overflow" }', "frames.splice(i, 1)"],
    ["watch/slow", "drop-oldest: announces what it drops by one gap"]
  ),
  guard(
    "drop with a Gap for each revision",
    "internal/watch/buffer",
    ['if (before?._tag !== "Gap" || before.reason !== "Overflow") {', "if (before !== null) {"],
    ["watch/slow", "drop-oldest: announces what it drops by one gap"]
  ),
  guard(
    "conflate across a Synced",
    "internal/watch/buffer",
    ['    if (frame._tag !== "Events") seen.clear()\n', ""],
    ["watch/slow", "conflate: gives up nothing for an event behind a Synced"]
  ),
  guard(
    "give a watcher that is behind the position of the others",
    "internal/watch/registry",
    ["  if (cursor !== undefined) return cursor\n", ""],
    ["watch/cursors", "behind what waits for it is where it had read to"]
  )
]

const cursors: ReadonlyArray<NamedMutant> = [
  guard(
    "resume below the floor",
    "internal/log/events",
    ["if (seq < floor.seq) return compacted(floor.seq)", "if (seq < 0) return compacted(floor.seq)"],
    ["log/cursor", "below the floor is answered with what is removed"]
  ),
  guard(
    "resume in another epoch",
    "internal/log/events",
    ["epoch !== head.epoch ||", ""],
    ["log/cursor", "of another epoch is refused, whatever its number and tag"]
  ),
  guard(
    "resume after a number of another history",
    "internal/log/events",
    ["return known === tag ? undefined", "return known !== null ? undefined"],
    ["log/cursor", "with the tag of another history is refused"]
  )
]

const blocking: ReadonlyArray<NamedMutant> = [
  guard(
    "publish without a wait for one who blocks",
    "Watch",
    ["registry.blocking === 0 ? append", "registry.blocking >= 0 ? append"],
    ["watch/slow", "block: holds up the publishers, and nothing is lost"]
  ),
  guard(
    "dispatch although one blocks",
    "internal/watch/fanOut",
    [
      "registry.blocking > 0 && mayBlock(registry, logged)",
      "registry.blocking < 0 && mayBlock(registry, logged)"
    ],
    ["watch/slow", "holds up the others until it has room"]
  ),
  guard(
    "go on behind one who blocked with the next commit only",
    "internal/watch/registry",
    [' else if (fields.blocked && watcher.policy === "block") ring(registry)\n', "\n"],
    ["watch/slow", "holds up the others until it has room"]
  ),
  guard(
    "let a publish wait for one who blocked and has gone",
    "internal/watch/registry",
    ["  ring(registry)\n  resolveDispatched(fields)\n", "  ring(registry)\n"],
    ["watch/slow", "lets a publish go on when it ends and no other follows"]
  ),
  guard(
    "let the others wait for one who blocked and has gone",
    "internal/watch/registry",
    ["  ring(registry)\n  resolveDispatched(fields)\n", "  resolveDispatched(fields)\n"],
    ["watch/slow", "holds up no publish any more when it ends"]
  ),
  guard(
    "let a publish wait for what is gone",
    "internal/watch/registry",
    [
      "    if (epoch === head.epoch && seq > head.seq) continue\n    fields",
      "    if (seq >= 0) continue\n    fields"
    ],
    ["watch/slow", "ends when its revision is of an epoch that is over: it will never be dispatched"]
  )
]

export const watchGuards: ReadonlyArray<NamedMutant> = [
  ...offering,
  ...readingOn,
  ...cursors,
  ...blocking,
  guard(
    "count only a success as an answer of the log",
    "internal/watch/dispatcher",
    [
      "isUnavailable(error) ? State.setCause(dispatcher, error) : State.noteAnswer(dispatcher)",
      "State.setCause(dispatcher, error)"
    ],
    ["watch/health", "a log that answers that something is gone has answered"]
  ),
  guard(
    "write everything that waits at once",
    "platform/internal/sse/session",
    ["while (size <", "while (size >= 0 || size <"],
    ["platform/WatchSse.slow", "is written a little at a time"]
  ),
  guard(
    "leave the connection of a response that has ended open",
    "platform/WatchSse",
    ['"x-accel-buffering": "no",\n  connection: "close"', '"x-accel-buffering": "no"'],
    ["platform/WatchSse", "answers with the headers that keep an event stream flowing"]
  ),
  guard(
    "send a heartbeat in the place of a frame",
    "platform/internal/sse/session",
    [
      'by === "heartbeat" ? Effect.succeed(Chunk.of(heartbeatBytes))',
      'by === "heartbeat" ? Effect.as(Effect.zipRight(Effect.yieldNow(), nextChunk(session)), Chunk.of(heartbeatBytes))'
    ],
    ["platform/WatchSse", "loses and moves no frame that comes at the same moment"]
  )
]
