/** The options with which laws are checked. */
import { Effect } from "effect"
import { resolve } from "../../../src/internal/options.js"
import * as ChangeLogLaws from "../../../src/testing/ChangeLogLaws.js"
import * as DatastoreLaws from "../../../src/testing/DatastoreLaws.js"
import { type LawsOptions, lawsRules } from "../../../src/testing/internal/law.js"
import * as MergeLaws from "../../../src/testing/MergeLaws.js"
import * as StorageLaws from "../../../src/testing/StorageLaws.js"
import { memorySubject as backendSubject } from "../../support/laws/backends.js"
import { memorySubject } from "../../support/watch/logs.js"
import { right, subjectOf } from "../../testing/wrong/right.js"
import { durationsAbove0, of, type Place, place, type WrongOf, wholes } from "./wrong.js"

const checked: WrongOf<StorageLaws.CheckOptions> = {
  limit: durationsAbove0,
  seed: of("many", -1, 1.5),
  samples: wholes
}

const storage = subjectOf({ name: "right", open: (disk) => Effect.sync(() => right(disk)) })
const [law] = StorageLaws.laws

const largest = MergeLaws.subject(
  { name: "largest", join: Math.max, encode: (value: number) => value, decode: Number },
  [1, 2]
)

export const laws: ReadonlyArray<Place> = [
  place<StorageLaws.CheckOptions>("StorageLaws.run", {}, checked, (options) =>
    StorageLaws.run(storage, options)
  ),
  place<StorageLaws.CheckOptions>("a law's check", {}, checked, (options) => law!.check(storage, options)),
  place<ChangeLogLaws.CheckOptions>("ChangeLogLaws.run", {}, checked, (options) =>
    ChangeLogLaws.run(memorySubject("none"), options)
  ),
  place<DatastoreLaws.CheckOptions>("DatastoreLaws.run", {}, checked, (options) =>
    DatastoreLaws.run(backendSubject, options)
  ),
  place<MergeLaws.CheckOptions>("MergeLaws.run", {}, checked, (options) => MergeLaws.run(largest, options)),
  // Where vitest runs, they have no Effect to fail: there they are a test that fails.
  place<LawsOptions>("storageLaws", {}, { ...checked, timeout: durationsAbove0 }, (options) =>
    resolve<LawsOptions>()(lawsRules, options)
  )
]
