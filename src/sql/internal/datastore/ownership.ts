/** The ownership of stores that are decided in memory: taken by name, and proved by a token in each save. */
import { Effect, type Scope } from "effect"
import type { Owned, Ownership } from "../../../internal/catalog/backend.js"
import { StorageError } from "../../../Storage.js"
import type { Dialect } from "../dialect.js"
import type { OwnError } from "../owner/errors.js"
import type { Owner } from "../owner/holding.js"
import type { Owners, OwnOptions } from "../owner/owners.js"
import { ownerStatements } from "../owner/statements.js"
import type { OwnersTable } from "../owner/table.js"
import type { Step } from "../transaction.js"

/** Proof that a name is owned. */
export interface Fence {
  /** None: nothing is proved. */
  readonly name: string | undefined
  /** Runs in the transaction that it is proved for. */
  readonly prove: (run: Step) => Effect.Effect<void, StorageError>
}

/** What saves what has no owner. */
export const noFence: Fence = { name: undefined, prove: () => Effect.void }

/** The names that this process owns, by their tokens. */
export interface Ownerships {
  /** Takes a name until the scope ends. */
  readonly own: (name: string) => Effect.Effect<Ownership, StorageError | Owned, Scope.Scope>
  /** Proves inside of a transaction that a token is the owner's. Fails as `Fatal` if it is another's by now. */
  readonly fence: (token: string) => Fence
}

const fatal = (message: string): StorageError =>
  new StorageError({ kind: "Fatal", outcome: "NotStored", message })

const refused = ({ cause, message, reason, who }: OwnError): StorageError | Owned => {
  if (reason === "Owned") return { _tag: "Owned", by: who ?? "another process", message }
  return cause instanceof StorageError ? cause : fatal(message)
}

/** Makes the ownerships of a backend. */
export const makeOwnerships = (
  dialect: Dialect,
  owners: Owners,
  table: OwnersTable,
  options: OwnOptions
): Ownerships => {
  const held = new Map<string, { readonly name: string; readonly owner: Owner }>()
  const statements = ownerStatements(dialect, table)
  const taken = (run: Step, name: string) =>
    Effect.flatMap(run(statements.look(name)), (result) => {
      const row = statements.row(result)
      const by = row?.token === undefined ? "no process" : row.holder
      return fatal(`${JSON.stringify(name)} is owned by ${by} now: nothing is saved here any more`)
    })
  return {
    own: (name) =>
      Effect.gen(function* () {
        const owner = yield* Effect.mapError(owners.acquire(name, options), refused)
        yield* Effect.acquireRelease(
          Effect.sync(() => held.set(owner.token, { name, owner })),
          () => Effect.sync(() => held.delete(owner.token))
        )
        const lost = Effect.map(Effect.flip(owner.lost), ({ message }) => message)
        return { token: owner.token, lost }
      }),
    fence: (token) => {
      const known = held.get(token)
      if (known === undefined) {
        return {
          name: undefined,
          prove: () => fatal("the token is of no ownership that is held here: own the name again")
        }
      }
      const { name, owner } = known
      return { name, prove: (run) => Effect.catchTag(owner.fence(run), "OwnError", () => taken(run, name)) }
    }
  }
}
