/** Mutants that no test can notice, or that do no harm, and why. */
export interface Harmless {
  readonly file: string
  readonly reason: string
  /** The line, and how the changed part of it and what stands there instead begin; white space is folded. */
  readonly mutants: ReadonlyArray<readonly [at: string, from: string, to: string]>
}

export const harmless: ReadonlyArray<Harmless> = []
