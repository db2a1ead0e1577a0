/** Guards of the actor, each held by one test of the actor or of a recorder. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("actor")

export const actorGuards: ReadonlyArray<NamedMutant> = [
  guard(
    "give a batch the slots without an item",
    "internal/actor/mailbox",
    ["write.length = next - opened", "void write.length"],
    [
      "actor/mailbox",
      "hands over batches as long as what they hold, also of a segment that a burst left open"
    ]
  ),
  guard(
    "let a segment take more than its limit",
    "internal/actor/mailbox",
    ["next - opened < capacity", "next - opened <= capacity"],
    ["actor/mailbox", "hands over the array of a full segment itself, not a copy"]
  ),
  guard(
    "forget at the close what is in the way",
    "internal/actor/status",
    ['_tag: "Closing", cause,', '_tag: "Closing", cause: Option.none(),'],
    ["recorder/close", "Closing names what is in the way from its beginning"]
  ),
  guard(
    "leave the streams of statuses open at the end",
    "internal/actor/status",
    [".unsafeOffer(status)\n    if (statuses.ended) watcher.unsafeDone(Exit.void)", ".unsafeOffer(status)"],
    ["recorder/sight", "changes begin with the present one, for each watcher, and end with the terminal one"]
  ),
  guard(
    "go on while an interrupted step still ends",
    "internal/actor/engine",
    [
      "engine.worker?.unsafeInterruptAsFork(FiberId.none)",
      "engine.worker?.unsafeInterruptAsFork(FiberId.none)\n  engine.leaveWorkerBehind?.()"
    ],
    ["recorder/timeouts", "the interrupted save is awaited before the retry: saves never overlap"]
  ),
  guard(
    "give a step no limit",
    "internal/actor/worker",
    ["engine.behavior.limit(batch)", "Number.POSITIVE_INFINITY"],
    ["recorder/timeouts", "a backend that hangs for ever is tried for ever, and the records wait"]
  ),
  guard(
    "report again at the end of a scope what a close has reported",
    "internal/actor/lifetime",
    ["!wasDelivered", "true"],
    ["recorder/scope", "logs nothing when close was called before"]
  ),
  guard(
    "wake a worker out of its wait for a request",
    "internal/actor/engine",
    ["Mailbox.post(", 'interruptStep(engine, "Cancelled"), Mailbox.post('],
    ["recorder/retryTimes", "are one at a time while Degraded, whatever is asked meanwhile"]
  ),
  guard(
    "keep the context of the maker",
    "internal/actor/lifetime",
    ["      Effect.mapInputContext((_: Context.Context<never>) => Context.empty()),\n", ""],
    ["recorder/fatal", "the actor runs without its maker's transaction and parent span"]
  ),
  guard(
    "run the worker as its maker was run",
    "internal/actor/worker",
    ["return Effect.interruptible(", "return ("],
    [
      "recorder/fatal",
      "a recorder outlives the fiber that made it, and its saves can be interrupted wherever it was made"
    ]
  ),
  guard(
    "wake the worker at once",
    "internal/actor/engine",
    ["engine.turn.schedule(engine.wakeAtEndOfTurn)", "engine.wakeAtEndOfTurn()"],
    ["recorder/batches", "starts at the end of the turn, so that the requests of one turn share a batch"]
  ),
  guard(
    "linger although the batch is full",
    "internal/actor/worker",
    ["Mailbox.size(mailbox) >= Linger.enough(linger, mailbox.limit)", "false"],
    ["recorder/batches", "linger ends early for a full batch, a query, a flush and a close"]
  ),
  guard(
    "report a failure again at the close",
    "internal/actor/supervisor",
    ["  publish(engine)\n  signal(engine)", "  engine.behavior.onFailed(engine.cause)\n  signal(engine)"],
    ["recorder/logs", "there is one when it fails, and none when all is well"]
  ),
  guard(
    "let a logger that throws end the actor",
    "internal/actor/engine",
    ["Effect.exit,", "(effect) => effect,"],
    ["recorder/logs", "a logger that throws costs its lines, and nothing else"]
  ),
  guard(
    "look after the steps from the first batch on",
    "internal/actor/engine",
    ["else if (!engine.watched ||", 'else if ((engine.phase !== "Starting" && !engine.watched) ||'],
    ["recorder/metrics", "pending is seen while the storage has not come up"]
  ),
  guard(
    "skip the last tick",
    "internal/actor/watchdog",
    ["Effect.zipRight(watch, lastTick)", "watch"],
    ["recorder/metrics", "pending and oldest age are seen while a save hangs, and fall when it is over"]
  ),
  guard(
    "publish refusals with a step only",
    "internal/actor/engine",
    ["if (engine.step === 0) behavior.onRefused()", "if (engine.step !== 0) behavior.onRefused()"],
    ["recorder/metrics", "refused shows what a failed or closed recorder refuses"]
  ),
  guard(
    "push records out for one that cannot fit",
    "internal/actor/intake",
    [" && hasRoomBesideQueue(intake, bound, bytes)", ""],
    ["recorder/drops", "drops as many as a large record needs, and none for one that can never fit"]
  ),
  guard(
    "end an interval of drops above half of the bound",
    "internal/actor/bound",
    [
      "items < (bound.count ?? Number.POSITIVE_INFINITY) / 2",
      "items <= (bound.count ?? Number.POSITIVE_INFINITY)"
    ],
    ["recorder/drops", "is logged once and leaves one gap note (drop-newest)"]
  ),
  guard(
    "log each drop",
    "internal/actor/intake",
    ["if (noteDrop(intake.gaps, reason, intake.now()))", "noteDrop(intake.gaps, reason, intake.now())\n  "],
    ["recorder/drops", "is logged once and leaves one gap note (drop-oldest)"]
  ),
  guard(
    "warn of a long queue at every segment",
    "internal/actor/intake",
    ["    intake.warnAt *= 2\n", ""],
    ["recorder/bounds", "warns once per doubling above 100,000 pending"]
  ),
  guard(
    "throw what sizeOf throws",
    "internal/actor/bound",
    ["  } catch {\n    return undefined", "  } catch (error) {\n    throw error"],
    ["recorder/bounds", "a sizeOf that throws refuses the record (reject)"]
  ),
  guard(
    "let nobody in for a saver that goes away",
    "internal/actor/intake",
    [
      "  refuse(intake, waiter.items.length)\n  admitWaiters(intake)\n",
      "  refuse(intake, waiter.items.length)\n"
    ],
    ["recorder/bounds", "a saver that goes away while it waits was not accepted, and lets the next one in"]
  ),
  guard(
    "take the next batch in the same turn",
    "internal/actor/worker",
    ["  engine.turnIsOver = false\n", ""],
    ["recorder/bounds", "starves no fiber: a storage that answers at once gets one batch a turn"]
  ),
  guard(
    "end what is prepared with the batch before it",
    "internal/actor/batches",
    ["intake.inFlight - (prepared?.items.length ?? 0)", "intake.inFlight"],
    ["recorder/prepare", "gets the next full batch while a save is out, and its effect saves it in order"]
  ),
  guard(
    "take no newcomers behind a batch",
    "internal/actor/batches",
    ["Mailbox.takeBehind(intake.mailbox, intake.mailbox.limit)", "undefined"],
    ["recorder/poison", "a lone record waits for a second to compare with"]
  ),
  guard(
    "run a query whose caller has gone",
    "internal/actor/worker",
    [".cancelled) return Effect.void", ".cancelled === undefined) return Effect.void"],
    ["recorder/queries", "is skipped when its waiter has gone"]
  ),
  guard(
    "let a query run on without its caller",
    "internal/actor/ask",
    ["Engine.interruptStep(engine,", "void (engine,"],
    [
      "recorder/queries",
      "is interrupted when its waiter goes while it runs, and is over before the next call"
    ]
  ),
  guard(
    "refuse a flush while closing",
    "internal/actor/ask",
    ['phase !== "Closed" && phase !== "Failed"', "false"],
    ["recorder/queries", "is a barrier also while Closing"]
  ),
  guard(
    "close the storage of a late acquisition before the drain",
    "Actor",
    ["yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)", "yield* Effect.scope"],
    ["traps", "it arrives while the scope closes: drained first, released last"]
  ),
  guard(
    "wait at a deadline for what cannot be interrupted",
    "internal/actor/supervisor",
    ["Effect.sync(() => engine.leaveWorkerBehind?.())", "Effect.void"],
    ["traps", "a save that masks its interruption"]
  ),
  guard(
    "go on with an interval of drops when there is room again",
    "internal/actor/intake",
    ["  if (belowHalf(intake.bound, pending(intake), pendingBytes(intake))) closeGap(intake.gaps)\n", ""],
    ["recorder/drops", "is logged once and leaves one gap note (drop-oldest)"]
  )
]
