// Checks an app manifest, JSON on stdin, against the type Manifest of @slack/web-api, with no property too many.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const name = join(dirname(fileURLToPath(import.meta.url)), 'manifest.check.ts');
const text = `import type { AppsManifestCreateArguments } from '@slack/web-api';
export const manifest = ${readFileSync(0, 'utf8').trim()} satisfies AppsManifestCreateArguments['manifest'];
`;
const options = { noEmit: true, strict: true, skipLibCheck: true, module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022 };
const host = ts.createCompilerHost(options);
const { getSourceFile, fileExists, readFile } = host;
host.getSourceFile = (f, target, ...rest) => (f === name ? ts.createSourceFile(f, text, target) : getSourceFile(f, target, ...rest));
host.fileExists = (f) => f === name || fileExists(f);
host.readFile = (f) => (f === name ? text : readFile(f));
const problems = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host));
for (const p of problems) console.error(ts.flattenDiagnosticMessageText(p.messageText, '\n'));
process.exit(problems.length ? 1 : 0);
