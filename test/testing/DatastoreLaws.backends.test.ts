/** The backend in memory keeps the laws of permanent stores. */
import { datastoreLaws } from "effect-recorder/testing/vitest"
import { memorySubject } from "../support/laws/backends.js"
import { runs } from "../support/laws/laws.js"

datastoreLaws(memorySubject, { samples: runs(25) })
