/**
 * Makes a test of every law, inside of a vitest run:
 *
 * ```ts
 * import { storageLaws } from "effect-recorder/testing/vitest"
 *
 * storageLaws({ name: "my storage", place, capabilities, record, idOf, all })
 * ```
 *
 * A law that is left out shows as skipped, with the reason. This module can be loaded only where vitest runs; the laws
 * themselves are in `effect-recorder/testing/StorageLaws`, `effect-recorder/testing/ChangeLogLaws`,
 * `effect-recorder/testing/TableLaws`, `effect-recorder/testing/TierLaws`, `effect-recorder/testing/ProjectionLaws`,
 * `effect-recorder/testing/DatastoreLaws` and `effect-recorder/testing/MergeLaws`.
 */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { TypeLambda } from "effect/HKT"
import { InvalidOptions, readOptions } from "../internal/options.js"
import { datastoreKit } from "./internal/datastore/laws.js"
import type { DatastoreSubject } from "./internal/datastore/subject.js"
import { type Kit, type LawsOptions, lawsRules, leftOutReasonOf, type SubjectOf } from "./internal/law.js"
import { logKit } from "./internal/log/laws.js"
import type { LogSubject } from "./internal/log/subject.js"
import { mergeKit } from "./internal/merge/laws.js"
import type { MergeSubject } from "./internal/merge/subject.js"
import { projectionKit } from "./internal/projection/laws.js"
import type { ProjectionSubject } from "./internal/projection/subject.js"
import { storageKit } from "./internal/storage/laws.js"
import type { Subject } from "./internal/storage/subject.js"
import { tableKit } from "./internal/table/laws.js"
import type { TableSubject } from "./internal/table/subject.js"
import { tierKit } from "./internal/tier/laws.js"
import type { TierSubject } from "./internal/tier/subject.js"

export type { LawsOptions } from "./internal/law.js"

/** Registers a test for every law of a kit, or one that fails with what is wrong with the options. */
const testsOf =
  <Subjects extends TypeLambda, Need extends string>({ lacks, laws }: Kit<Subjects, Need, string>) =>
  <A, B>(title: string, subject: SubjectOf<Subjects, A, B>, options: LawsOptions): void => {
    const leftOutReason = leftOutReasonOf(lacks)
    const resolved = readOptions<LawsOptions>()(lawsRules, options)
    describe(title, () => {
      if (resolved instanceof InvalidOptions) return it.effect("are run", () => Effect.fail(resolved))
      const { timeout, ...checked } = resolved
      for (const law of laws) {
        const reason = leftOutReason(law, subject)
        const title = `${law.id} ${law.group}: ${law.name}: ${law.statement}`
        if (reason !== undefined) it(title, ({ skip }) => skip(`left out: ${reason}`))
        else it.live(title, () => law.check(subject, checked), timeout)
      }
    })
  }

/** Registers a test for every law of storages. They run on the live clock, each in a place of its own. */
export const storageLaws = <Record, Query>(
  subject: Subject<Record, Query>,
  options: LawsOptions = {}
): void => testsOf(storageKit)(`the storage laws: ${subject.name}`, subject, options)

/** Registers a test for every law of change logs. They run on the live clock, each in a place of its own. */
export const changeLogLaws = (subject: LogSubject, options: LawsOptions = {}): void =>
  testsOf(logKit)(`the laws of change logs: ${subject.name}`, subject, options)

/** Registers a test for every law of tables. They run on the live clock, each in a place of its own. */
export const tableLaws = (subject: TableSubject, options: LawsOptions = {}): void =>
  testsOf(tableKit)(`the laws of tables: ${subject.name}`, subject, options)

/** Registers a test for every law of tiers. They run on the live clock, each in a place of its own. */
export const tierLaws = (subject: TierSubject, options: LawsOptions = {}): void =>
  testsOf(tierKit)(`the laws of tiers: ${subject.name}`, subject, options)

/** Registers a test for every law of projections: `projectionLaws(ProjectionLaws.subject(accounts))`. */
export const projectionLaws = (subject: ProjectionSubject, options: LawsOptions = {}): void =>
  testsOf(projectionKit)(`the laws of projections: ${subject.name}`, subject, options)

/** Registers a test for every law of backends of permanent stores. They run on the live clock, each in a place of its own. */
export const datastoreLaws = (subject: DatastoreSubject, options: LawsOptions = {}): void =>
  testsOf(datastoreKit)(`the laws of permanent stores: ${subject.name}`, subject, options)

/** Registers a test for every law of joins: `mergeLaws(MergeLaws.subject(words, values))`. */
export const mergeLaws = <A>(subject: MergeSubject<A>, options: LawsOptions = {}): void =>
  testsOf(mergeKit)<A, never>(`the laws of joins: ${subject.name}`, subject, options)
