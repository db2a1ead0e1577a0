/** All laws of backends of permanent stores, and how a backend is held against them. */
import type { Kit } from "../law.js"
import { runnerOf } from "../report.js"
import { datastoreLawsOfAtomicity } from "./atomicity.js"
import { datastoreLawsOfDeciding } from "./deciding.js"
import { datastoreLawsOfHandles } from "./handles.js"
import { datastoreLawsOfLoading } from "./loading.js"
import { datastoreLawsOfOpening } from "./opening.js"
import { datastoreLawsOfOperations } from "./operations.js"
import { datastoreLawsOfOwning } from "./owning.js"
import { datastoreLawsOfSaving } from "./saving.js"
import {
  type DatastoreGroup,
  type DatastoreLaw,
  type DatastoreNeed,
  type DatastoreSubjects,
  lacks
} from "./subject.js"
import { datastoreLawsOfTidying } from "./tidying.js"

/** Every law, by groups. */
export const datastoreLaws: ReadonlyArray<DatastoreLaw> = [
  ...datastoreLawsOfOpening,
  ...datastoreLawsOfDeciding,
  ...datastoreLawsOfSaving,
  ...datastoreLawsOfAtomicity,
  ...datastoreLawsOfLoading,
  ...datastoreLawsOfOperations,
  ...datastoreLawsOfTidying,
  ...datastoreLawsOfOwning,
  ...datastoreLawsOfHandles
]

/** The laws of backends, and which needs a backend does not meet. */
export const datastoreKit: Kit<DatastoreSubjects, DatastoreNeed, DatastoreGroup> = {
  laws: datastoreLaws,
  lacks
}

/** Holds a backend against every law, each in a place of its own. */
export const runDatastoreLaws = runnerOf(datastoreKit)
