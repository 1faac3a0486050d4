# Reads a list of {"boundary", "longest", "lines": [[path, line, seconds]], "end": seconds} and writes what each becomes: lists of
# [path, stream, time, text]. The first argument is the directory of the scripts.

require 'json'

%w[tributary_pipeline tributary_lines].each { |script| require File.join(ARGV.fetch(0), script) }

results = JSON.parse($stdin.read).map do |one|
  runtime = Tributary::Runtime.new
  joiner = Tributary::Joiner.new(one['boundary'], one['longest'])
  found = one['lines'].flat_map do |path, line, seconds|
    time, stream, piece, text = runtime.read(line.b)
    expired = joiner.expired(seconds, 0)
    expired + joiner.add(Tributary::Line.new(path, stream, time || [0, 0], text || line, seconds), piece || false)
  end
  found.concat(joiner.expired(one['end'], 0))
  found.concat(joiner.finish) if one['finish']
  found.map { |line| [line.path, line.stream, Tributary::Clock.write(line.time), Tributary.text(line.text)] }
end
puts JSON.generate(results)
