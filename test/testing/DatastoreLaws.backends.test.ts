/** This library's own backends keep the laws of permanent stores. */
import { datastoreLaws } from "effect-recorder/testing/vitest"
import { memorySubject } from "../support/laws/backends.js"
import { runs } from "../support/laws/laws.js"

for (const subject of [memorySubject]) datastoreLaws(subject, { samples: runs(50) })
