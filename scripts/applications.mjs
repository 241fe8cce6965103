/**
 * Applications that the packed package is installed into, as `nest new` leaves them. `npm run test:matrix -- packages`
 * makes each of them, adds the workflow of `test/package/application`, and takes the steps one after the other. Each step
 * compiles, runs the unit tests of the application, runs the application, and runs the README's example.
 *
 * - `schematics`: major version of Nest's starter. `type`: what it asks since 12, module system and test runner.
 * - `node`: version of the npm package that brings Node.js.
 * - `build`: `nest build` with `tsc` or `swc`, or a version of TypeScript's own compiler.
 * - `test`: the test runner of the starter, started by `npm test`. Its configuration is not touched.
 * - `settings`: what replaces the starter's settings of the same names in `tsconfig.json`.
 */
const express = '@nestjs/platform-express';
export const fastify = '@nestjs/platform-fastify';

/** What `nest new` wrote until 11.0: no `moduleResolution`, which is node10 then. */
const NODE10 = {
  module: 'commonjs',
  moduleResolution: undefined,
  resolvePackageJsonExports: undefined,
  isolatedModules: undefined,
  esModuleInterop: undefined,
  target: 'ES2021',
};

/** TypeScript 5.4 does not know the starter's ES2023. */
const OLD_TARGET = { target: 'ES2022' };

export const applications = [
  {
    name: 'nest-11-commonjs',
    schematics: 11,
    packages: ['@nestjs/typeorm@11', 'typeorm@0.3', 'pg@8'],
    http: express,
    steps: [
      { node: '20', build: 'tsc', test: 'jest' },
      { node: '20', build: '5.4', settings: NODE10, test: 'jest' },
      { node: '22', build: 'swc', test: 'jest' },
      { node: '24', build: 'tsc', test: 'jest' },
      { node: '26', build: 'tsc', test: 'jest' },
    ],
  },
  {
    name: 'nest-11-esm',
    schematics: 11,
    packages: ['@nestjs/typeorm@12', 'typeorm@1', 'pg@8', '@nestjs/schedule@6'],
    http: fastify,
    manifest: { type: 'module' },
    steps: [
      { node: '20', build: '5.4', settings: OLD_TARGET },
      { node: '24', build: 'tsc' },
    ],
  },
  {
    name: 'nest-12-esm',
    schematics: 12,
    type: 'esm',
    packages: ['@nestjs/typeorm@12', 'typeorm@1', 'pg@8'],
    http: express,
    steps: [
      { node: '20', build: '5.4', settings: OLD_TARGET },
      { node: '22', build: 'tsc', test: 'vitest' },
      { node: '24', build: 'swc', test: 'vitest' },
      { node: '26', build: '7.0', test: 'vitest' },
    ],
  },
  {
    name: 'nest-12-commonjs',
    schematics: 12,
    type: 'cjs',
    packages: ['@nestjs/typeorm@12', 'typeorm@0.3', 'pg@8', '@nestjs/schedule@12'],
    http: fastify,
    steps: [
      { node: '20', build: '5.8' },
      // No tests: Jest cannot require Nest 12 before Node.js 24.9, and the starter's own tests fail there too.
      { node: '22', build: 'tsc' },
      { node: '24', build: 'swc', test: 'jest' },
      { node: '26', build: '7.0', test: 'jest' },
    ],
  },
];
