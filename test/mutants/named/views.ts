/** Guards of views: what a follow may see, when its rights are compared, and how its owner ends it. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("view")

const discards = "discard what waits: a snapshot of what is visible now, then changes judged by it"
const judges = "judges each event of a revision by its own value before, which it may have to hide"

const seeing: ReadonlyArray<NamedMutant> = [
  guard(
    "leave a snapshot unfiltered",
    "internal/watch/snapshots",
    ["if (view !== undefined) entries = entries.filter", "if (view === null) entries = entries.filter"],
    ["watch/view", "filters the snapshot of a follow that begins anew, which names what was delivered"]
  ),
  guard(
    "leave out a row that leaves",
    "internal/watch/view",
    ["if (!wasVisible) return undefined", "if (!wasVisible || !previous) return undefined"],
    ["watch/view", "delivers a row that begins to match as put, and one that ceases to match as delete"]
  ),
  guard(
    "resume without the values before",
    "internal/watch/fanOut",
    [
      "frame = frameOf({ logged, plain: undefined, previous: undefined }, watcher, positions)",
      'frame = frameOf({ logged: { ...logged, previous: logged.events.map(() => ({ _tag: "None" }) as never) }, plain: undefined, previous: undefined }, watcher, positions)'
    ],
    ["watch/view", "delivers what came and went also to a follow that resumes"]
  ),
  guard(
    "deliver a value before that was hidden",
    "internal/watch/view",
    ["Object.freeze({ ...event, previous: Option.none() })", "event"],
    ["watch/view", judges]
  ),
  guard(
    "judge the events of a part by the values before others",
    "internal/watch/view",
    ["positions === undefined ? i : positions[i]!", "i"],
    [
      "laws/watch/views",
      "W16-W19: a follow under rights that change is delivered what they let through, over a log in memory"
    ]
  ),
  guard(
    "name hidden rows as deleted",
    "internal/watch/snapshots",
    ["deleted: none }", "deleted: snapshot.entries.map(({ key }) => key) }"],
    ["watch/view", discards]
  ),
  guard(
    "follow a log that gives no values before",
    "internal/watch/opening",
    [
      'if (view !== undefined && log.state !== "latest") return',
      'if (view === null && log.state !== "latest") return'
    ],
    ["watch/view", "needs a log that keeps its state, also where snapshots come from elsewhere"]
  )
]

const comparing: ReadonlyArray<NamedMutant> = [
  guard(
    "compare the rights when they are enqueued only",
    "internal/watch/reader",
    ["  if (watcher.view !== undefined) recheck(registry, watcher)\n  const frame", "  const frame"],
    ["watch/view", discards]
  ),
  guard(
    "deliver what waits under older rights",
    "internal/watch/buffer",
    ["  buffer.row = undefined\n  buffer.size = 0\n", "  buffer.size = 0\n"],
    ["watch/view", discards]
  ),
  guard(
    "go on without a snapshot when the rights have changed",
    "internal/watch/dispatcher",
    ["Resnapshot.startChanged(dispatcher).pipe(", "Effect.void.pipe("],
    ["watch/view", discards]
  ),
  guard(
    "begin a follow that may see nothing",
    "internal/watch/opening",
    ['if (found?._tag === "Ended") return', "if (found === null) return"],
    ["watch/view", "that let nothing be seen at the start end the follow before anything is delivered"]
  ),
  guard(
    "take a first snapshot that was discarded for delivered",
    "internal/watch/buffer",
    ['if (next?._tag === "Snapshot" && isAt', 'if (next?._tag === "Gap" && isAt'],
    ["watch/view", "hold back a first snapshot that was not taken, and the cursor is before it"]
  ),
  guard(
    "take what was discarded behind an end for delivered",
    "internal/watch/buffer",
    [
      "if (buffer.ended !== undefined && !isEmpty(buffer)) buffer.ended",
      "if (buffer.ended === null) buffer.ended"
    ],
    ["watch/view", "hold back what waits for a follow that has ended, and its cursor is before it"]
  ),
  guard(
    "complete synced before the snapshot of other rights",
    "internal/watch/syncs",
    ["watcher.snapshotWait !== undefined || !covers", "!covers"],
    ["watch/view", "keep synced waiting until the snapshot is taken"]
  ),
  guard(
    "wake the reader of a replay before its cursor is set",
    "internal/watch/fanOut",
    [
      "    Watcher.readOnAfter(watcher, logged.revision)\n    if (frame !== undefined) Watcher.push(watcher, frame)\n",
      "    if (frame !== undefined) Watcher.push(watcher, frame)\n    Watcher.readOnAfter(watcher, logged.revision)\n"
    ],
    ["watch/view", "when its reader is woken in the middle of a replay, its cursor stays"]
  ),
  guard(
    "recheck nothing for readers that wait",
    "internal/watch/registry",
    [
      "if (watcher.view?.rights !== undefined) fields.withRights.add",
      "if (watcher.view === null) fields.withRights.add"
    ],
    ["watch/view", "reach readers that wait by recheck"]
  ),
  guard(
    "send on a snapshot under older rights",
    "platform/internal/sse/session",
    ["if (part.done !== true && !isOutdated(session)) {", "if (part.done !== true) {"],
    ["platform/WatchSse.view", "is sent nothing more of a snapshot that older rights let through"]
  ),
  guard(
    "name as deleted what an abandoned snapshot has not sent",
    "platform/internal/sse/session",
    ["frame.deleted.filter((key) => !unsent.has(key))", "frame.deleted.filter((key) => unsent.has(key))"],
    ["platform/WatchSse.view", "is sent nothing more of a snapshot that older rights let through"]
  )
]

const ending: ReadonlyArray<NamedMutant> = [
  guard(
    "end a watcher twice",
    "internal/watch/buffer",
    ["buffer.ended ??= ended", "buffer.ended = ended"],
    ["watch/ends", "gets one end, behind what waits, and no other watcher does"]
  ),
  guard(
    "let the last of close and end hold",
    "internal/watch/dispatcherState",
    ["dispatcher.ending ??= ending", "dispatcher.ending = ending"],
    ["watch/ends", "ends as the first of its ends, also if that was interrupted"]
  ),
  guard(
    "let a client come again for ever to what has expired",
    "platform/internal/sse/frames",
    ['Expired: "stop"', 'Expired: "resume"'],
    ["platform/WatchSse.view", "is to stop when it is Expired, and so is a later one"]
  )
]

export const viewGuards: ReadonlyArray<NamedMutant> = [...seeing, ...comparing, ...ending]
