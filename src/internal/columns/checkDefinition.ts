/** Checks the definition of a table, before anything is made of it. */
import { Effect } from "effect"
import { check, handle } from "../arguments.js"
import { anything, type InvalidOptions, resolve, valid } from "../options.js"
import { validateColumns, validateName } from "./columns.js"
import type { AnyDefinition } from "./writes.js"

// Its name is the first part of its keys in a log: those of another table must not begin with it.
const validateTableName = (name: unknown): string | undefined =>
  validateName(name) ?? (String(name).includes("/") ? "must not contain a slash" : undefined)

const rules = { name: valid<string>(validateTableName), columns: anything, id: anything }

/** Fails if the definition is not valid. */
export const checkDefinition = (definition: AnyDefinition): Effect.Effect<void, InvalidOptions> =>
  Effect.gen(function* () {
    yield* check("definition", handle("a definition of a table"), definition)
    yield* resolve<AnyDefinition>()(rules, definition)
    const problem = validateColumns(definition.columns, definition.id)
    if (problem !== undefined) return yield* problem
  })
