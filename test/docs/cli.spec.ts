import { describe, expect, it } from '@jest/globals';
import type { Command } from 'commander';
import { DOCTOR_CHECKS } from '../../lib/doctor/run-doctor.js';
import { commandsOf, ownHelp, pathOf, programOf } from './cli-help.js';
import { codeBlocks, section, tableRows } from './markdown.js';

const FILE = 'docs/cli.md';
const blocks = codeBlocks(FILE).filter(({ language }) => language === 'text');

const named = commandsOf(programOf()).map((command): [string, Command] => [
  pathOf(command) || 'nestjs-cloacina',
  command,
]);

describe(FILE, () => {
  it.each(named)('has the help of %s', (_path, command) => {
    const usage = `Usage: nestjs-cloacina ${pathOf(command)}`.trim();
    const block = blocks.find(({ code }) => code.startsWith(`${usage} [`));
    expect(block?.code).toBe(ownHelp(command));
  });

  it('has no other help', () => {
    expect(blocks).toHaveLength(named.length);
  });

  it('has each check of the doctor', () => {
    const rows = tableRows(section(FILE, '## doctor'));
    const documented = rows.map(([id = '']) => id.replaceAll('`', ''));
    expect(documented.sort()).toEqual([...DOCTOR_CHECKS].sort());
  });
});
