import { describe, expect, it } from '@jest/globals';
import { runCli } from '../../support/run-cli.js';

/** Nothing listens there. */
const NOWHERE = 'postgres://app:s3cret-word@127.0.0.1:1/shop';
const run = (line: string, env: Record<string, string> = {}) =>
  runCli(line.split(' ').filter(Boolean), { env });

describe('Exit code 2 and a sentence for a wrong call', () => {
  it.each([
    ['', 'Usage: nestjs-cloacina'],
    ['executions', 'Usage: nestjs-cloacina executions'],
    ['exections list', "unknown command 'exections'"],
    ['executions list --stauts Failed', '--status'],
    ['executions list --status Broken', 'Allowed choices are Pending'],
    ['executions list --limit 0', 'whole number from 1 to 500'],
    ['executions list --since yesterday', 'a time span such as 30m'],
    ['executions list --since 12', 'a time span such as 30m'],
    ['executions list --until 2026-31-01', 'a date (ISO 8601)'],
    ['executions list --tag orderId', 'key=value'],
    ['executions show', "missing required argument 'id'"],
    ['executions start ship --run-at soon', 'ISO 8601'],
    ['executions start ship --run-at 5', 'ISO 8601'],
    ['executions start ship --input {', '--input must be JSON'],
    ['executions start ship --input [1]', '--input must be a JSON object'],
    ['executions start ship --input @no-such-file.json', 'no-such-file.json'],
    ['schedules resume hourly --catch-up many', '--catch-up must be'],
    ['migrate --all --tenant acme', 'Give --all, or name a tenant'],
    ['migrate --dry-run --status', 'not both'],
    ['tenants create acme --username acme', 'not printed'],
    ['tenants move acme --to us', 'set CLOACINA_SERVERS'],
    ['tenants move acme --finish --yes', 'set CLOACINA_SERVERS'],
    ['tenants create acme --password-stdin', 'need --username'],
  ])('%s', async (line, sentence) => {
    const { code, stdout, stderr } = await run(line, { DATABASE_URL: NOWHERE });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(sentence);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it.each([
    'doctor',
    'migrate',
    'tenants list',
    'executions list',
    'schedules list',
    'recovery run',
  ])('%s without a database', async (line) => {
    const { code, stderr } = await run(line);
    expect(code).toBe(2);
    expect(stderr).toContain('Set DATABASE_URL in the environment, or give --database-url.');
  });
});

it.each(['--json', 'executions --json'])('%s: no command is named', async (line) => {
  const { code, json } = await run(line);
  expect(code).toBe(2);
  expect(json()).toEqual({ error: { code: 'USAGE', message: 'Name a command: see --help.' } });
});

it('prints help and the version with exit code 0', async () => {
  const help = await run('executions list --help');
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toContain('Usage: nestjs-cloacina executions list [options]');
  const version = await run('--version');
  expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) });
});

describe('An error', () => {
  it('has exit code 1, a sentence without the password, and no stack', async () => {
    const { code, stdout, stderr } = await run('tenants list', { DATABASE_URL: NOWHERE });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('"shop" at 127.0.0.1:1');
    expect(stderr).not.toContain('s3cret');
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('has its stack with --debug, still without the password', async () => {
    const { stderr } = await run(`tenants list --debug --database-url ${NOWHERE}`);
    expect(stderr).toMatch(/\n\s+at /);
    expect(stderr).not.toContain('s3cret');
  });

  it('is a document with --json', async () => {
    const away = await run('tenants list --json', { DATABASE_URL: NOWHERE });
    expect(away.json()).toEqual({
      error: { code: 'DATABASE_UNAVAILABLE', message: expect.stringContaining('"shop"') },
    });
    const wrong = await run('executions list --limit 0 --json');
    expect(wrong.code).toBe(2);
    expect(wrong.json()).toEqual({ error: { code: 'USAGE', message: expect.any(String) } });
  });

  it('never prints a URL that was given in a wrong place', async () => {
    const { code, stderr } = await run(NOWHERE);
    expect(code).toBe(2);
    expect(stderr).not.toContain('s3cret');
  });
});

describe('What destroys', () => {
  const lines = ['tenants remove acme', 'executions cancel 0190d5a0-0000-7000-8000-000000000000'];

  it.each(lines)('%s is refused without a terminal and without --yes', async (line) => {
    const { code, stderr } = await run(line, { DATABASE_URL: NOWHERE });
    expect(code).toBe(2);
    expect(stderr).toContain('--yes');
  });

  it.each(lines)('%s asks, and does nothing after a no', async (line) => {
    const env = { DATABASE_URL: NOWHERE };
    const { code, stderr } = await runCli(line.split(' '), { env, keys: 'n' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Nothing was (dropped|cancelled)\./);
  });

  it.each(lines)('%s goes on after a yes', async (line) => {
    const env = { DATABASE_URL: NOWHERE };
    const { code, stderr } = await runCli(line.split(' '), { env, keys: 'y' });
    expect(code).toBe(1);
    // It has asked for the database, which is not there.
    expect(stderr).toContain('"shop" at 127.0.0.1:1');
  });
});
