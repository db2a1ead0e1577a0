/** Guards of change logs and watches: what is shared, where a watcher stands, and whom a fault reaches. */
import type { NamedMutant } from "../named.js"

const internal = (file: string): string => `src/internal/${file}.ts`
const watch = (file: string, name: string) => ({ file: `test/watch/${file}.test.ts`, name })

const sharing: ReadonlyArray<NamedMutant> = [
  {
    name: "watch: give readers the events that the log keeps",
    file: internal("log/memoryRows"),
    find: "events: Object.freeze(events), previous",
    replace: "events, previous",
    test: watch("sharing", "that its reader empties is whole for each later reader")
  },
  {
    name: "watch: give readers the state that the log keeps",
    file: internal("log/memoryState"),
    find: "Object.freeze({ key, value, revision })",
    replace: "{ key, value, revision }",
    test: watch("sharing", "a snapshot that one watcher changes stays as it is for the others")
  },
  {
    name: "watch: let a reader change events with the values before",
    file: internal("watch/fanOut"),
    find: "  Object.freeze(\n    events.map((event, i) => {",
    replace: "  ((list: ReadonlyArray<Event<V>>) => list)(\n    events.map((event, i) => {",
    test: watch("sharing", "with the values before cannot be changed, neither for others nor for the log")
  },
  {
    name: "watch: keep the selector of the caller",
    file: internal("log/selector"),
    find: "Effect.succeed(ownSelector(selector))",
    replace: "Effect.succeed(selector)",
    test: watch("sharing", "a selector may be changed while it is followed")
  },
  {
    name: "watch: keep the cursor of the caller",
    file: internal("watch/opening"),
    find: "const at = ownRevision(after)",
    replace: "const at = after",
    test: watch("sharing", "a cursor may be changed when a watcher has resumed after it")
  },
  {
    name: "watch: give all ranges of an owner one priority",
    file: internal("watch/intervalTree"),
    find: "priorityOf(++tree.added)",
    replace: "priorityOf(owner.id)",
    test: watch("sharing", "a follow of very many ranges in order gets each, and ends as it began")
  },
  {
    name: "watch: let one bell keep the others from ringing",
    file: internal("log/changeLog"),
    find: "    try {\n      ring()\n    } catch {",
    replace: "    ring()\n    try {\n    } catch {",
    test: watch("sharing", "a bell that throws undoes no commit, and the others ring")
  }
]

const snapshots: ReadonlyArray<NamedMutant> = [
  {
    name: "watch: deliver every entry of a snapshot",
    file: internal("watch/snapshots"),
    find: "entries = entries.filter((entry) => where(putOf(entry)))",
    replace: "entries = entries.filter((entry) => where(putOf(entry)) || true)",
    test: watch("snapshots", "the entries that it does not take are left out, and it sees them as puts")
  },
  {
    name: "watch: take a predicate that throws for a source that dies",
    file: internal("watch/snapshots"),
    find: '    return { _tag: "PredicateThrew", revision, cause }',
    replace: "    throw cause",
    test: watch("snapshots", "one that throws on an entry of a later snapshot ends its watcher alone")
  },
  {
    name: "watch: wait for a snapshot in the dispatcher's turn",
    file: internal("watch/resnapshot"),
    find: "Effect.forkDaemon(Effect.interruptible(takeWithRetry(dispatcher, watcher, why, wait)))",
    replace:
      "Effect.flatMap(Effect.forkDaemon(Effect.interruptible(takeWithRetry(dispatcher, watcher, why, wait))), (fiber) => Effect.as(fiber.await, fiber))",
    test: watch("snapshots", "holds up no other while its source hangs, and its cancel ends the wait")
  },
  {
    name: "watch: take a snapshot on for a watcher that has ended",
    file: internal("watch/registry"),
    find: "  fields.changed.delete(watcher)\n  Watcher.endSnapshotWait(watcher)?.stop()\n",
    replace: "  fields.changed.delete(watcher)\n",
    test: watch("snapshots", "is ended at once by the end of the watch, and its source is interrupted")
  },
  {
    name: "watch: let a snapshot that hangs keep its slot",
    file: internal("watch/snapshots"),
    find: "Effect.sleep(slotTimeout).pipe(Effect.zipRight(release), ",
    replace: "Effect.sleep(slotTimeout).pipe(",
    test: watch("snapshots", "does not wait for many whose source hangs")
  },
  {
    name: "watch: take all snapshots at once",
    file: internal("watch/snapshots"),
    find: "restore(slots.take(1))",
    replace: "restore(slots.take(0))",
    test: watch("snapshots", "shares its source with few at once")
  },
  {
    name: "watch: end a watcher whose snapshot is away",
    file: internal("watch/resnapshot"),
    find: "(Snapshots.isUnavailable(error) || (",
    replace: "((",
    test: watch("snapshots", "is behind, with the cause, while its source is away, and live when it is back")
  },
  {
    name: "watch: trust the revision of a source",
    file: internal("watch/snapshots"),
    find: "(isExternal ? read({ after: revision, limit: 1 }) : Effect.void)",
    replace: "(isExternal ? Effect.void : Effect.void)",
    test: watch("snapshots", "ends its watcher when it is of what is not there yet, after some more tries")
  },
  {
    name: "watch: ask a source of stale snapshots for ever",
    file: internal("watch/resnapshot"),
    find: "++stale <= maxStale",
    replace: "++stale <= Number.POSITIVE_INFINITY",
    test: watch("snapshots", "ends its watcher when it is of another epoch, after some more tries")
  },
  {
    name: "watch: keep every snapshot for a watcher that takes none",
    file: internal("watch/buffer"),
    find: "    replaceFrames(buffer, frames.slice(start, at))\n",
    replace: "",
    test: watch("snapshots", "holds one snapshot, however often it cannot read on before it takes anything")
  },
  {
    name: "watch: let an open hang behind the end of the watch",
    file: internal("watch/opening"),
    find: "Effect.raceFirst(Effect.interruptible(Deferred.await(refused)), Effect.interruptible(begins))",
    replace: "begins",
    test: watch(
      "snapshots",
      "with a snapshot that hangs holds up nobody, and is refused when the watch is closed"
    )
  },
  {
    name: "watch: begin a follow in the dispatcher's turn",
    file: internal("watch/opening"),
    find: "Effect.raceFirst(Effect.interruptible(Deferred.await(refused)), Effect.interruptible(begins))",
    replace: "Effect.flatMap(inTurn(Effect.asVoid(Effect.orDie(begins))), () => begins)",
    test: watch("snapshots", "where the log hangs holds up no other")
  },
  {
    name: "watch: wait for the loser where nothing can be interrupted",
    file: internal("watch/opening"),
    find: "Effect.interruptible(Deferred.await(refused))",
    replace: "Deferred.await(refused)",
    test: watch("health", "a follow begins also where nothing can be interrupted, as in a server's handlers")
  },
  {
    name: "watch: look at the log from within the caller's transaction",
    file: internal("watch/opening"),
    find: "outsideTransaction(startPosition(dispatcher, watcher, follow))",
    replace: "startPosition(dispatcher, watcher, follow)",
    test: watch("snapshots", "does not look at the log from within the transaction of its caller")
  }
]

const standing: ReadonlyArray<NamedMutant> = [
  {
    name: "watch: report of a watcher that has ended what it has taken last",
    file: internal("watch/buffer"),
    find: "taken.seq > position.seq ? taken : position",
    replace: "taken.seq > position.seq ? taken : taken",
    test: watch("cursors", "that was told nothing for long and was cancelled is where the watch was")
  },
  {
    name: "watch: let the position of a dispatch under way be a cursor",
    file: internal("watch/buffer"),
    find: "taken.seq > position.seq ? taken : position",
    replace: "taken.seq > position.seq ? position : position",
    test: watch("cursors", "that another one's predicate ends is not behind what was delivered to it")
  },
  {
    name: "watch: forget in a dispatch what was delivered before a predicate threw",
    file: internal("watch/fanOut"),
    find: 'Registry.end(registry, watcher, "Failed", "its predicate threw", cause, before)',
    replace: 'Registry.end(registry, watcher, "Failed", "its predicate threw", cause)',
    test: watch("cursors", "in the middle of a commit is the revision before the one that was not delivered")
  },
  {
    name: "watch: put a watcher that began ahead behind with the others",
    file: internal("watch/registry"),
    find: "position.epoch === liveFrom.epoch && position.seq < liveFrom.seq ? liveFrom : position",
    replace: "position",
    test: watch("cursors", "that began ahead of the others gets no gap of what they have")
  },
  {
    name: "watch: count a gap from the epoch before",
    file: internal("watch/resnapshot"),
    find: "from: Math.min(1, to), to, reason",
    replace: "from: after.seq + 1, to, reason",
    test: watch("cursors", "of an epoch that is shorter than the one before begins before it ends")
  },
  {
    name: "watch: begin a gap before an epoch in which nothing has happened",
    file: internal("watch/resnapshot"),
    find: "from: Math.min(1, to), to, reason",
    replace: "from: 1, to, reason",
    test: watch("cursors", "of an epoch in which nothing has happened begins before it ends")
  },
  {
    name: "watch: stop behind a full read for those who are live",
    file: internal("watch/dispatcher"),
    find: "done < rows.length || rows.length === maxRevisionsPerPass",
    replace: "done < rows.length",
    test: watch("cursors", "is followed by another one for those that are live, though nothing rings")
  },
  {
    name: "watch: stop behind a full read for those who read on",
    file: internal("watch/dispatcher"),
    find: "registry.catchingUp.size > 0 ? Effect.sync(() => Registry.ring(registry)) : Effect.void",
    replace: "Effect.void",
    test: watch("cursors", "is followed by another one for those that read on, though nothing rings")
  }
]

const failing: ReadonlyArray<NamedMutant> = [
  {
    name: "watch: call a watch that has failed live",
    file: internal("watch/health"),
    find: 'failure !== undefined ? "Failed" : isSuspect(dispatcher)',
    replace: "isSuspect(dispatcher)",
    test: watch("health", "when it dies has failed, says why, and begins no follow any more")
  },
  {
    name: "watch: begin follows when the log has failed",
    file: internal("watch/ending"),
    find: '  refuse(admission, new WatchRefused({ reason: "Log", message, cause }))\n',
    replace: "",
    test: watch("health", "when it refuses to be read has failed, says why, and begins no follow any more")
  },
  {
    name: "watch: end everybody for what one has yet to read",
    file: internal("watch/dispatcher"),
    find: "        ChangeLogError: (error) => endUnreadable(dispatcher, oldest, error)\n",
    replace: "",
    test: watch("health", "in what one watcher has yet to read ends that watcher alone")
  }
]

const streams: ReadonlyArray<NamedMutant> = [
  {
    name: "watch: leave open what a stream has opened",
    file: internal("takenStream"),
    find: "(exit) => Scope.close(scope, Exit.asVoid(exit))",
    replace: "(exit) => Effect.as(Scope.make(), exit)",
    test: {
      file: "test/internal/takenStream.test.ts",
      name: "closes the source when its reader has enough, also within a chunk"
    }
  },
  {
    name: "watch: ask a log at once that returns less than its head",
    file: internal("watch/dispatcher"),
    find: "isLagging(rows, after, position) ? Effect.fail(lagging) : Effect.succeed(rows)",
    replace: "Effect.succeed(rows)",
    test: watch("health", "a log that returns less than its head is asked again later and later")
  }
]

export const watchMutants: ReadonlyArray<NamedMutant> = [
  ...sharing,
  ...snapshots,
  ...standing,
  ...failing,
  ...streams
]
