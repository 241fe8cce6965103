// What the examples of the guide use of Vitest, which the tests of this project don't use.
declare module 'vitest' {
  export const expect: { extend(matchers: object): void };
}
