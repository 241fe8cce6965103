/** Counts the executions whose last handler has returned, and tells who waits for one more. */
export class Handled {
  count = 0;
  #waiting = [];

  add(executions = 1) {
    this.count += executions;
    for (const resume of this.#waiting.splice(0)) resume();
  }

  next() {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
