import { isAbsolute, relative, resolve } from 'node:path';
import { statSync } from 'node:fs';
import type { AttemptSettings } from '@rondo/sdk';
import { z } from 'zod';

/** XComs in line are no larger, so that the threshold of a backend cannot be either. */
const MOST_INLINE = 32_768;

const bytes = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d+$/, `a whole number of bytes from ${least} to ${most} is wanted`)
    .transform(Number)
    .pipe(z.number().min(least, `at least ${least}`).max(most, `at most ${most}`));

/** What is configured of attempts; `maxXComBytes` and the others as in `XComSettings`. */
export const TaskSettings = {
  maxXComBytes: bytes(1, 1_073_741_824).optional(),
  xcomBackend: z.string().min(1).optional(),
  xcomThreshold: bytes(0, MOST_INLINE).optional(),
  xcomTypes: z
    .string()
    .transform((text) => text.split(',').map((name) => name.trim()))
    .pipe(
      z.array(
        z
          .string()
          .regex(/^([A-Za-z_][\w.-]*\*?|\*)$/, 'names such as acme.Money or acme.*, separated by commas, are allowed'),
      ),
    )
    .optional(),
  confOverridesParams: z
    .enum(['yes', 'no'], 'yes or no is wanted')
    .transform((text) => text === 'yes')
    .optional(),
};

type Given = { readonly [Name in keyof typeof TaskSettings]?: z.output<(typeof TaskSettings)[Name]> | undefined };

/** The settings with paths made absolute; a text: what is wrong with them. */
export function taskSettings(given: Given, base: string, data: string): AttemptSettings | string {
  const { maxXComBytes, xcomThreshold, xcomTypes, confOverridesParams } = given;
  const backend = given.xcomBackend === undefined ? undefined : absolute(given.xcomBackend, base);
  const problem = backend === undefined ? undefined : problemOf(backend, data);
  if (problem !== undefined) return `--xcom-backend ${JSON.stringify(given.xcomBackend)}: ${problem}`;
  return {
    xcoms: {
      ...(maxXComBytes === undefined ? {} : { maxBytes: maxXComBytes }),
      ...(backend === undefined ? {} : { backend }),
      ...(xcomThreshold === undefined ? {} : { thresholdBytes: xcomThreshold }),
      ...(xcomTypes === undefined ? {} : { types: xcomTypes }),
    },
    ...(confOverridesParams === undefined ? {} : { confOverridesParams }),
  };
}

const FOLDER = 'folder:';

function absolute(spec: string, base: string): string {
  if (spec === 'blobs' || spec.includes('://')) return spec;
  return spec.startsWith(FOLDER) ? `${FOLDER}${resolve(base, spec.slice(FOLDER.length))}` : resolve(base, spec);
}

function problemOf(spec: string, data: string): string | undefined {
  if (spec === 'blobs' || spec.includes('://')) return undefined;
  const path = spec.startsWith(FOLDER) ? spec.slice(FOLDER.length) : spec;
  const way = relative(data, path);
  if (way === '' || !(way.startsWith('..') || isAbsolute(way)))
    return 'it is in the data folder, which tasks cannot reach: a place outside of it is wanted';
  const found = statSync(path, { throwIfNoEntry: false });
  if (spec.startsWith(FOLDER)) return found?.isDirectory() === true ? undefined : 'there is no such folder';
  return found?.isFile() === true ? undefined : 'blobs, folder:PATH or the path of a module is wanted';
}
