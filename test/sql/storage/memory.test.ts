import { Effect } from "effect"
import { memory } from "../../../src/Storage.js"
import { columns } from "../../support/laws/rows.js"
import { storageSuite } from "./sqlStorage.suite.js"

storageSuite("Storage.memory({ columns, id })", Effect.succeed(Effect.orDie(memory({ columns, id: "id" }))))
