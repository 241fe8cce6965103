/** Options of {@link TaskContext.step}. */
export interface StepOptions {
  /** Tells steps with the same name apart, in a loop for example: 1 to 200 characters, or a number. Default: none. */
  key?: string | number;
  /**
   * A whole number from 1 on. A result that was recorded with another version, or with none, does not count, so the step
   * runs again. Change it when the code of a step has changed so that recorded results are wrong. Default: none.
   */
  version?: number;
}
