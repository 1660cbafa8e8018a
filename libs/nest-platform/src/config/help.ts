import type { Section, Sections } from './setting.ts';
import { variableOf } from './setting.ts';

/** Every setting with its default, what is allowed and the name of its environment variable. */
export function helpText({
  service,
  about,
  sections,
}: {
  readonly service: string;
  readonly about: string;
  readonly sections: Sections;
}): string {
  const head = `Usage: rondo-${service} [--config FILE]

${about}

  --config FILE   settings as YAML or JSON (RONDO_CONFIG); the environment wins over the file
  -h, --help      this text
`;
  return [head, ...Object.entries(sections).map(([name, section]) => sectionText(name, section))].join('\n');
}

function sectionText(name: string, section: Section): string {
  const lines = Object.entries(section).map(([key, setting]) => {
    const preset = setting.isRequired ? 'wanted' : (setting.shown ?? 'none');
    const file = setting.isSecret ? `, or ${variableOf(name, key)}_FILE with the path of a file that holds it` : '';
    return `  ${key}   ${variableOf(name, key)}${file}\n      ${setting.help}\n      Allowed: ${setting.allowed}. Default: ${preset}.`;
  });
  return `${name}:\n${lines.join('\n')}\n`;
}
