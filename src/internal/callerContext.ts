/** What a part must not inherit from the fiber that made it, or that calls it. */
import { Context, Effect, Tracer } from "effect"

interface Transaction {
  readonly _: unique symbol
}

/** The transaction of @effect/sql that a caller may be in: statements of a part's own must not join it. */
const SqlTransaction = Context.GenericTag<Transaction, unknown>("@effect/sql/SqlClient/TransactionConnection")

/** Removes the transaction and the parent span of the fiber that makes a part. */
export const withoutCallerContext = <R>(context: Context.Context<R>): Context.Context<R> =>
  // `omit` takes only tags that the type names, but any context may hold these two.
  Context.omit(
    Tracer.ParentSpan,
    SqlTransaction
  )(context as Context.Context<R | Tracer.ParentSpan | Transaction>) as Context.Context<R>

/** Runs outside of the caller's transaction, in which it would see what may never be committed. */
export const outsideTransaction = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.mapInputContext(effect, (context: Context.Context<never>) =>
    // `omit` takes only tags that the type names, but any context may hold this one.
    Context.omit(SqlTransaction)(context as Context.Context<Transaction>)
  )

/** Whether a fiber is in a transaction: it may see what may never be committed. */
export const isInTransaction = (context: Context.Context<never>): boolean =>
  context.unsafeMap.has(SqlTransaction.key)
