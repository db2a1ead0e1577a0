/**
 * The laws that this project's own tests prove, by their numbers: of a recorder's account (A), of a watch (W), of an
 * actor (R, the runtime), of a live table (L), of projections (P), of stores (K) and of pools (J). The laws of storages (S), change
 * logs (C), tables (B), tiers (T), backends (D) and joins (M) are in
 * src/testing: users run them too.
 *
 * A number is never given to another law: that of a law that goes is listed in `retired`.
 */

/** A law that is proved here. */
export interface TestedLaw {
  readonly id: `${"A" | "W" | "R" | "L" | "P" | "K" | "J"}${number}`
  readonly name: string
  /** The law in one sentence. */
  readonly statement: string
  /** The files whose titles or checks cite its number. */
  readonly provedBy: ReadonlyArray<string>
}

const account = ["test/laws/account/play.ts", "test/laws/account/ending.ts"]

/** Random schedules of calls, faults, interruptions and ends; over memory, SQLite and Postgres. */
export const accountLaws: ReadonlyArray<TestedLaw> = [
  {
    id: "A1",
    name: "account-balances",
    statement:
      "At every instant the accepted records are those that are stored, set aside, dropped, handed back or pending.",
    provedBy: account.slice(0, 1)
  },
  {
    id: "A2",
    name: "bound-holds",
    statement: "What is pending stays within the bound, in records and in bytes, but for what is redriven.",
    provedBy: account.slice(0, 1)
  },
  {
    id: "A3",
    name: "gaps-count-every-loss",
    statement: "The gap notes count every record that is dropped, and every one that is released.",
    provedBy: account.slice(0, 1)
  },
  {
    id: "A4",
    name: "one-outcome",
    statement:
      "Every record that is set aside or handed back is named once, with one outcome, or counted as released.",
    provedBy: account.slice(1)
  },
  {
    id: "A5",
    name: "held-within-max-held",
    statement: "No more records are held than `maxHeld`, and no more are released than that takes.",
    provedBy: account.slice(1)
  },
  {
    id: "A6",
    name: "refused-is-nowhere",
    statement: "A record is accepted exactly when its caller is answered so; a refused one leaves no trace.",
    provedBy: account.slice(1)
  },
  {
    id: "A7",
    name: "stored-is-held",
    statement:
      "The backend holds every stored record once, and of the others only those whose outcome is unknown.",
    provedBy: account.slice(1)
  },
  {
    id: "A8",
    name: "dropped-is-not-sent",
    statement: "A dropped record was never handed to the storage; no record is lost without being counted.",
    provedBy: account.slice(1)
  },
  {
    id: "A9",
    name: "receipt-is-true",
    statement:
      "A durable save ends with the outcome that the account has; a stored record is visible to others by then.",
    provedBy: account.slice(1)
  },
  {
    id: "A10",
    name: "load-sees-the-saves-before",
    statement: "A load sees every record that was saved before it, and none that was saved after it.",
    provedBy: account.slice(1)
  },
  {
    id: "A11",
    name: "flush-covers",
    statement: "When a flush completes, every record that was accepted before it has its outcome.",
    provedBy: account.slice(0, 1)
  },
  {
    id: "A12",
    name: "stored-in-order",
    statement: "Records are stored in the order of their saves, unless some are set aside or redriven.",
    provedBy: account.slice(1)
  },
  {
    id: "A13",
    name: "one-call-at-a-time",
    statement: "Calls of the storage never overlap.",
    provedBy: account.slice(1)
  },
  {
    id: "A14",
    name: "close-ends",
    statement:
      "A close ends within its time with one report for all closers; every waiter is answered, nothing is pending.",
    provedBy: account.slice(1)
  },
  {
    id: "A15",
    name: "closed-refuses",
    statement: "A closing or closed recorder accepts nothing.",
    provedBy: account
  },
  {
    id: "A16",
    name: "outage-sets-nothing-aside",
    statement: "An outage of any length and any kind of error sets nothing aside, and loses nothing.",
    provedBy: ["test/laws/outage.test.ts"]
  },
  {
    id: "A17",
    name: "bad-records-are-found",
    statement:
      "Bad records are set aside and no others; each of them costs at most 22 saves of a batch of 1,000.",
    provedBy: ["test/laws/bisection.test.ts"]
  }
]

const validators = ["test/laws/watch/validators.ts", "test/laws/watch/validators.test.ts"]

const views = ["test/laws/watch/viewed.ts", "test/laws/watch/views.test.ts"]

/** Random histories of writers, readers, compactions, renewals and faults, after the validators of etcd. */
export const watchLaws = [
  {
    id: "W1",
    name: "ordered",
    statement: "A watcher gets revisions in the order of the log.",
    provedBy: validators
  },
  {
    id: "W2",
    name: "unique",
    statement: "A watcher gets no revision twice, and none that it knew at its start.",
    provedBy: validators
  },
  {
    id: "W3",
    name: "atomic",
    statement: "All events of a revision that match are delivered in one frame, in their order.",
    provedBy: validators
  },
  {
    id: "W4",
    name: "reliable",
    statement: "Nothing that matches is left out, outside of announced gaps, and no watcher stalls.",
    provedBy: validators
  },
  {
    id: "W5",
    name: "resumable",
    statement: "To resume after the cursor of an ended watcher leaves nothing out.",
    provedBy: validators
  },
  {
    id: "W6",
    name: "bookmarkable",
    statement: "After a Synced or a Progress, no events of its revision or of an earlier one are delivered.",
    provedBy: validators
  },
  {
    id: "W7",
    name: "filtered",
    statement: "A watcher gets only what matches.",
    provedBy: validators
  },
  {
    id: "W8",
    name: "previous-is-true",
    statement:
      "The previous value is the one that was there; it is delivered when it was asked for, and only then.",
    provedBy: validators
  },
  {
    id: "W9",
    name: "snapshot-is-true",
    statement: "A snapshot is the state at its revision, and names the delivered keys that are gone.",
    provedBy: validators
  },
  {
    id: "W10",
    name: "announced",
    statement: "A Gap has a first and a last revision; one without an overflow is followed by a Snapshot.",
    provedBy: validators
  },
  {
    id: "W11",
    name: "last-is-true",
    statement: "A watcher that has read everything knows the last event of each key that matches.",
    provedBy: validators
  },
  {
    id: "W12",
    name: "waits-for-it",
    statement: "A publisher waits for a watcher that blocks: it is behind by its buffer at most.",
    provedBy: validators
  },
  {
    id: "W13",
    name: "current",
    statement: "A watcher that has read everything knows the last epoch, or has ended.",
    provedBy: validators
  },
  {
    id: "W14",
    name: "writers-know",
    statement:
      "The log holds what a writer was answered as committed, nothing of what was refused, and no part of a commit.",
    provedBy: ["test/laws/watch/history.ts"]
  },
  {
    id: "W15",
    name: "synced-is-true",
    statement:
      "`synced` completes when its reader has taken everything that matches up to a head that the log had after the call.",
    provedBy: ["test/laws/watch/synced.test.ts"]
  },
  {
    id: "W16",
    name: "ends-equal",
    statement:
      "Under a view whose rows come and go, a follow that is cut at every frame and resumed ends equal to a fresh one.",
    provedBy: views
  },
  {
    id: "W17",
    name: "hidden-is-not-named",
    statement:
      "A view names no row that was never visible: not in events, previous values, snapshots or `deleted`.",
    provedBy: views.slice(0, 1)
  },
  {
    id: "W18",
    name: "judged-by-the-newest",
    statement:
      "When rights have changed, no frame that was judged by an older version is delivered any more.",
    provedBy: views
  },
  {
    id: "W19",
    name: "one-end",
    statement:
      "A watcher ends once, by whatever ends it: its rights, its reader, its log, or the owner of the log.",
    provedBy: views.slice(-1)
  }
] as const satisfies ReadonlyArray<TestedLaw>

const inActor = (file: string): ReadonlyArray<string> => [`test/actor/${file}.test.ts`]

export const actorLaws: ReadonlyArray<TestedLaw> = [
  {
    id: "R1",
    name: "query-in-its-place",
    statement: "A query sees every item offered before it, and none offered after it.",
    provedBy: inActor("actor")
  },
  {
    id: "R2",
    name: "batches-in-order",
    statement: "Adjacent items are handled as one batch, in order, up to its greatest size.",
    provedBy: inActor("actor")
  },
  {
    id: "R3",
    name: "every-item-counts",
    statement: "Every offered item is queued, refused or dropped, and counted so, under every policy.",
    provedBy: inActor("intake")
  },
  {
    id: "R4",
    name: "queue-of-items-and-requests",
    statement:
      "The mailbox is a queue, whatever is done to it; an array that it has handed over stays as it is.",
    provedBy: inActor("mailbox")
  },
  {
    id: "R5",
    name: "late-resource",
    statement: "Items and queries that are made before the resource is there are served in order afterwards.",
    provedBy: inActor("actor")
  },
  {
    id: "R6",
    name: "context-of-its-maker",
    statement: "An actor has the services of its maker, but neither its transaction nor its parent span.",
    provedBy: inActor("actor")
  },
  {
    id: "R7",
    name: "turn-makes-a-batch",
    statement: "A batch is taken at the end of the turn: all that is offered in one turn shares it.",
    provedBy: inActor("actor")
  },
  {
    id: "R8",
    name: "steps-do-not-overlap",
    statement: "A step that ignores its interruption is awaited before another one begins.",
    provedBy: inActor("supervision")
  },
  {
    id: "R9",
    name: "callers-interrupt-their-own",
    statement: "A query is interrupted when its caller goes, and nothing else is.",
    provedBy: inActor("supervision")
  },
  {
    id: "R10",
    name: "failure-answers-all",
    statement: "When an actor fails, every query is answered, and every item is handed back in order.",
    provedBy: inActor("supervision")
  },
  {
    id: "R11",
    name: "limit-ends-one-step",
    statement: "The limit of a step interrupts that step alone, exactly when it has passed.",
    provedBy: inActor("supervision")
  },
  {
    id: "R12",
    name: "status-to-the-end",
    statement: "A watcher of the status gets the present one first and the terminal one last.",
    provedBy: inActor("supervision")
  },
  {
    id: "R13",
    name: "close-finishes",
    statement: "A close finishes what was accepted, and gives the resource back, still usable.",
    provedBy: inActor("close")
  },
  {
    id: "R14",
    name: "one-report",
    statement: "All closers get one report, which is made once.",
    provedBy: inActor("close")
  },
  {
    id: "R15",
    name: "deadline-hands-back",
    statement: "A deadline interrupts the step under way, and everything is handed back in order.",
    provedBy: inActor("close")
  },
  {
    id: "R16",
    name: "left-behind",
    statement: "A step that ignores the deadline is left behind, and the report names the resource as busy.",
    provedBy: inActor("close")
  },
  {
    id: "R17",
    name: "actor-before-resource",
    statement: "The end of a scope closes the actor first and the resource after it.",
    provedBy: inActor("close")
  },
  {
    id: "R18",
    name: "nothing-stays",
    statement: "After its close no fiber and no alarm of an actor is left.",
    provedBy: inActor("close")
  }
]

export const liveTableLaws: ReadonlyArray<TestedLaw> = [
  {
    id: "L1",
    name: "surviving",
    statement:
      "A list or a count that survives a change is what the master answers after it; most that are the same survive.",
    provedBy: ["test/liveTable/surviving.test.ts"]
  },
  {
    id: "L2",
    name: "rebase",
    statement:
      "A view of staged writes is its base with the pending ones done anew, in order, at each step; in lists too.",
    provedBy: ["test/liveTable/pending.test.ts"]
  },
  {
    id: "L3",
    name: "acknowledged",
    statement:
      "A read that begins after a write was acknowledged returns that write or a later one; a list is one state.",
    provedBy: ["test/laws/liveTable/checks.ts"]
  },
  {
    id: "L4",
    name: "forward",
    statement:
      "While only the live table writes, no read of a key is older than one that was completed before.",
    provedBy: ["test/laws/liveTable/checks.ts"]
  },
  {
    id: "L5",
    name: "account",
    statement:
      "Every write is done in its order, once at most, and its caller gets one outcome, which is true.",
    provedBy: ["test/laws/liveTable/checks.ts", "test/laws/liveTable/world.ts"]
  },
  {
    id: "L6",
    name: "single",
    statement:
      "No key is loaded twice at a time, unless it was invalidated meanwhile; no call loads a key twice.",
    provedBy: ["test/laws/liveTable/world.ts", "test/laws/liveTable/ending.ts"]
  },
  {
    id: "L7",
    name: "bounded",
    statement: "Entries stay within their bound; when everything has ended, nothing else is remembered.",
    provedBy: ["test/laws/liveTable/ending.ts"]
  },
  {
    id: "L8",
    name: "pending",
    statement:
      "A read that shows staged writes is a state that may be read, with those of that moment done anew.",
    provedBy: ["test/laws/liveTable/checks.ts"]
  },
  {
    id: "L9",
    name: "equal",
    statement: "The same schedule gives the same answers over memory, SQLite and Postgres.",
    provedBy: ["test/laws/liveTable/equal.ts"]
  },
  {
    id: "L10",
    name: "tier",
    statement:
      "L3 and L4 hold for two live tables of one tier, whatever it holds, and whenever that was put there.",
    provedBy: ["test/laws/liveTable/checks.ts", "test/laws/liveTable.tier.test.ts"]
  },
  {
    id: "L11",
    name: "follow",
    statement:
      "A follow gives no answer twice in a row, and its last one is what the master has, as far as changes reach the live table.",
    provedBy: ["test/laws/liveTable/reads.ts", "test/laws/liveTable/ending.ts"]
  }
]

const projections = ["test/laws/projection/checks.ts"]

/** Random schedules of writers, readers, removals, renewals, backups, faults of tier and log, time and restarts. */
export const projectionLaws: ReadonlyArray<TestedLaw> = [
  {
    id: "P1",
    name: "whole-and-fresh",
    statement:
      "Whatever lane answers, a consistent state is the fold of all events of its key, as of a moment of the call.",
    provedBy: projections
  },
  {
    id: "P2",
    name: "honest-position",
    statement:
      "Generation, applied revision and head are those that the state was folded at; of a stale state too.",
    provedBy: projections
  },
  {
    id: "P3",
    name: "age",
    statement:
      "A stale state was equal to the log less than its limit ago, by monotonic time; with a limit of 0 none is stale.",
    provedBy: projections
  },
  {
    id: "P4",
    name: "no-part",
    statement:
      "Where events of a key are removed, the answer is the whole state or `Compacted`; a state in memory above them is a base.",
    provedBy: projections
  },
  {
    id: "P5",
    name: "nothing-made-up",
    statement:
      "No row of another key, epoch, tag or generation, none ahead of the log, and no change by a caller shows in an answer.",
    provedBy: projections
  },
  {
    id: "P6",
    name: "renewed-keeps",
    statement: "A renewed epoch keeps all events and generations, and answers are of the new epoch.",
    provedBy: ["test/laws/projection/checks.ts", "test/laws/projection/play.ts"]
  },
  {
    id: "P7",
    name: "forgotten",
    statement: "Nothing of before the event that forgets a key shows, whatever slot and tier still hold.",
    provedBy: projections
  },
  {
    id: "P8",
    name: "few-are-read",
    statement: "A key of few events in a log of many is folded by reading these events alone.",
    provedBy: ["test/laws/projection.index.test.ts"]
  },
  {
    id: "P9",
    name: "one-winner",
    statement:
      "One writer of a generation wins; a commit is whole or nothing; a known id is a duplicate before its conditions.",
    provedBy: ["test/laws/projection/writing.ts", "test/laws/projection.writers.test.ts"]
  },
  {
    id: "P10",
    name: "honest-lane",
    statement: "The strategy, cache and storing that an answer names are ones that it could have had.",
    provedBy: projections
  },
  {
    id: "P11",
    name: "all-answered",
    statement:
      "Every call is answered, whichever others leave and whatever tier and log do; it fails for a reason that there was.",
    provedBy: ["test/laws/projection/checks.ts", "test/laws/projection/play.ts"]
  },
  {
    id: "P12",
    name: "rolled-back",
    statement:
      "To read in a transaction that rolls back leaves no trace in slot, tier or flight, and never hangs.",
    provedBy: ["test/laws/projection.transaction.test.ts"]
  }
]

/** Random clients, followers and rights, over stores in memory and permanent ones on a backend in memory. */
export const storeLaws: ReadonlyArray<TestedLaw> = [
  {
    id: "K1",
    name: "linearizable",
    statement:
      "The order of operations by seq explains every reply, keeps real time, and leaves what a snapshot shows.",
    provedBy: ["test/laws/datastore/history.ts", "test/laws/datastore/checkClients.ts"]
  },
  {
    id: "K2",
    name: "once",
    statement:
      "An operation of a client acts once and is answered alike, however often it is sent, also after a restart.",
    provedBy: ["test/laws/datastore/clients.ts", "test/laws/datastore/checkClients.ts"]
  },
  {
    id: "K3",
    name: "ends-equal",
    statement:
      "A follower that is cut and resumes, while rows and rights come and go, ends equal to a fresh one.",
    provedBy: ["test/laws/datastore/followers.ts"]
  },
  {
    id: "K4",
    name: "no-leak",
    statement: "A row that was never visible to a principal is named in no frame, reply or error.",
    provedBy: ["test/laws/datastore/followers.ts", "test/laws/datastore.views.test.ts"]
  },
  {
    id: "K5",
    name: "judged-by-the-newest",
    statement: "After a revocation, or the end of a grant, no frame judged by the older rights is taken.",
    provedBy: ["test/laws/datastore/followers.ts"]
  }
]

const joins = "test/laws/mergePool.test.ts"
const exchanges = "test/laws/mergePool/exchange.test.ts"

/** Random edits, orders, cuts and stamps that meet, over the core of pools. */
export const poolLaws: ReadonlyArray<TestedLaw> = [
  {
    id: "J1",
    name: "join",
    statement:
      "Who has the same edits holds the same, in whatever order they came, late, in parts, or more than once.",
    provedBy: [joins]
  },
  {
    id: "J2",
    name: "changes-are-all",
    statement: "The changes that a merge names bring another replica from the state before to the one after.",
    provedBy: [joins]
  },
  {
    id: "J3",
    name: "equal-stamps",
    statement:
      "Of different values with equal stamps, as of a client id used twice, the larger canonical text wins everywhere.",
    provedBy: ["test/mergePool/merging.test.ts"]
  },
  {
    id: "J4",
    name: "reset",
    statement:
      "A removal acts on fields of every strategy alike, seen or not; a later write brings back itself alone.",
    provedBy: ["test/mergePool/merging.test.ts"]
  },
  {
    id: "J5",
    name: "clock",
    statement: "Stamps grow, whatever the wall clock shows, over restarts and full counters.",
    provedBy: ["test/mergePool/clock.test.ts"]
  },
  {
    id: "J6",
    name: "horizon",
    statement:
      "To raise the horizon changes nothing that is read, brings nothing back, and keeps equal states equal.",
    provedBy: [joins, "test/mergePool/horizon.test.ts"]
  },
  {
    id: "J7",
    name: "atomic",
    statement: "A merge that is refused leaves state, clock and hash as they were, whatever came before.",
    provedBy: [joins]
  },
  {
    id: "J8",
    name: "last-value",
    statement:
      "Every follower gets the last value, also when the pool ends or the follower resumes within a tick.",
    provedBy: ["test/mergePool/ticks.test.ts"]
  },
  {
    id: "J9",
    name: "tree",
    statement: "A hash tree that is kept through changes equals one that is built anew, at every step.",
    provedBy: ["test/mergePool/hashTree.test.ts", exchanges]
  },
  {
    id: "J10",
    name: "each-edit-once",
    statement:
      "An exchange that is cut at any message ends equal, by content and by sums, and counts each edit once.",
    provedBy: [exchanges]
  }
]

/** Numbers of laws that are gone, and are never given again. */
export const retired: ReadonlyArray<string> = []
