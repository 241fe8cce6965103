import { Module } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { expect, it, jest } from '@jest/globals';
import { ConfigurationError } from '../../../lib/errors/index.js';

// An application that has not installed it.
jest.unstable_mockModule('@nestjs/schedule', () => {
  throw new Error("Cannot find package '@nestjs/schedule'");
});
const { recoveryJobs, CloacinaRecoveryJobs } =
  await import('../../../lib/recovery/recovery-jobs.js');

const passes = { recoverOnce: () => Promise.resolve() };

async function modulesWith(...imports: (new () => object)[]): Promise<ModulesContainer> {
  const app = await Test.createTestingModule({ imports }).compile();
  return app.get(ModulesContainer);
}

it('The library does not load @nestjs/schedule in an application without a ScheduleModule', async () => {
  const jobs = await recoveryJobs(passes, await modulesWith());
  expect(jobs).toBeInstanceOf(CloacinaRecoveryJobs);
  await expect(jobs.recover()).resolves.toBeUndefined();
});

it('A ScheduleModule whose package the library cannot load is a ConfigurationError that says what to do', async () => {
  @Module({})
  class ScheduleModule {}
  const refused = recoveryJobs(passes, await modulesWith(ScheduleModule));
  await expect(refused).rejects.toThrow(ConfigurationError);
  await expect(refused).rejects.toMatchObject({
    code: 'CONFIGURATION',
    problems: [expect.stringMatching(/cannot load @nestjs\/schedule.*Install @nestjs\/schedule/)],
  });
});
