// A native-looking `solc` over npm's compiler, which is the same compiler built for JavaScript:
// its own command line prints a stray line before the JSON and has no import paths.
'use strict';
const fs = require('node:fs');
const path = require('node:path');

const solc = require(path.join(__dirname, '..', '..', 'node_modules', 'solc'));
const args = process.argv.slice(2);

function values(option) {
  return args.flatMap((arg, i) => {
    if (arg === option) return [args[i + 1]];
    return arg.startsWith(option + '=') ? [arg.slice(option.length + 1)] : [];
  });
}

function main() {
  if (args.includes('--version')) {
    console.log('solc, the solidity compiler commandline interface');
    console.log('Version: ' + solc.version());
    return 0;
  }
  if (!args.includes('--standard-json')) {
    console.error('solc: only --version and --standard-json are offered, not: ' + args.join(' '));
    return 1;
  }
  const roots = [...values('--base-path'), ...values('--include-path')];
  if (roots.length === 0) roots.push('.');
  // ape compiles a copy of the project that holds the contracts and not node_modules.
  roots.push(path.join(__dirname, '..', '..'));
  const readImport = (name) => {
    const found = roots.map((root) => path.resolve(root, name)).find((file) => fs.existsSync(file));
    return found ? { contents: fs.readFileSync(found, 'utf8') } : { error: 'not found: ' + name };
  };
  process.stdout.write(solc.compile(fs.readFileSync(0, 'utf8'), { import: readImport }) + '\n');
  return 0;
}

process.exitCode = main();
