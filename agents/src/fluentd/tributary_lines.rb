# From what is in files and in the journal to lines of applications: the runtime's format, pieces of long lines, lines that belong
# together. This file is the same for every policy. It uses nothing of Fluentd.

require 'json'
require 'time'

module Tributary
  # `path` and `stream` say whose it is, `time` is seconds and nanoseconds, `text` bytes, `at` when it was read, in seconds of a clock
  # that only goes forward.
  Line = Struct.new(:path, :stream, :time, :text, :at)

  # Times as the runtimes write them.
  class Clock
    TIME = /\A(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\z/.freeze

    # Seconds and nanoseconds, or nil for no time.
    def read(text)
      match = TIME.match(text)
      return nil unless match

      # Lines of the same second follow each other.
      unless match[1] == @second && match[3] == @zone
        @value = Time.iso8601(match[1] + match[3]).to_i
        @second = match[1]
        @zone = match[3]
      end
      [@value, (match[2] || '').ljust(9, '0').to_i]
    rescue ArgumentError
      nil
    end

    # RFC 3339 with nanoseconds.
    def self.write(time)
      second, text = @written
      unless second == time[0]
        text = Time.at(time[0]).utc.strftime('%Y-%m-%dT%H:%M:%S').freeze
        @written = [time[0], text].freeze
      end
      "#{text}.#{time[1].to_s.rjust(9, '0')}Z"
    end

    def self.now
      Process.clock_gettime(Process::CLOCK_REALTIME, :nanosecond).divmod(1_000_000_000)
    end
  end

  # The runtime's line: time, stream, whether it is a piece that is not the last, text. nil for what is not in its format.
  class Runtime
    CRI = /\A(\S+) (stdout|stderr) ([FP])(?::\S*)? ?/n.freeze

    def initialize
      @clock = Clock.new
    end

    def read(line)
      line.start_with?('{') ? docker(line) : cri(line)
    end

    private

    def cri(line)
      match = CRI.match(line)
      time = match && @clock.read(match[1])
      time && [time, match[2].force_encoding(Encoding::UTF_8), match[3] == 'P', match.post_match]
    end

    # Docker's files: a line without its newline is a piece.
    def docker(line)
      entry = JSON.parse(Tributary.text(line))
      text, stream, time = entry.values_at('log', 'stream', 'time')
      time = @clock.read(time) if time.is_a?(String)
      return nil unless text.is_a?(String) && time.is_a?(Array)

      [time, stream, !text.end_with?("\n"), text.chomp("\n")]
    rescue JSON::ParserError
      nil
    end
  end

  # Lines that wait for what belongs to them, by whose they are.
  class Waiting
    # `wait` is in seconds, `longest` in bytes.
    def initialize(separator, wait, longest)
      @separator = separator.b
      @wait = wait
      @longest = longest
      @lines = {}
    end

    def key?(key)
      @lines.key?(key)
    end

    def take(key)
      @lines.delete(key)
    end

    # Adds a line to what waits. Gives what became too long, cut.
    def add(key, line)
      waiting = @lines[key]
      if waiting
        waiting.text << @separator << line.text.b
        waiting.at = line.at
      else
        waiting = @lines[key] = line
        waiting.text = line.text.b
      end
      cut = self.class.cut(waiting, @longest)
      # All but the first begin in what was added.
      cut.drop(1).each { |part| part.time = line.time }
      @lines[key] = cut.pop
      cut
    end

    # Takes what has waited long enough. Before `since`, nothing could come.
    def expired(now, since)
      keys = @lines.select { |_, line| now - [line.at, since].max >= @wait }.keys
      keys.map { |key| [key, @lines.delete(key)] }
    end

    def take_all
      taken = @lines.to_a
      @lines = {}
      taken
    end

    # The line in parts of at most `longest` bytes, none of which begins within a character.
    def self.cut(line, longest)
      return [line] if line.text.bytesize <= longest

      parts = []
      rest = line.text
      while rest.bytesize > longest
        ending = longest
        ending -= 1 while ending > longest - 4 && (rest.getbyte(ending) & 0xC0) == 0x80
        parts << line.dup.tap { |part| part.text = rest.byteslice(0, ending) }
        rest = rest.byteslice(ending, rest.bytesize)
      end
      parts << line.dup.tap { |part| part.text = rest }
    end
  end

  # Joins the pieces of lines, and lines to records.
  class Joiner
    # A piece without a last one is all there is of a line whose writer died.
    LONGEST_GAP = 5
    # As the policy's documentation says.
    LONGEST_PAUSE = 1

    # `boundary` is `{"starts": EXPRESSION}`, `{"continues": EXPRESSION}` or nil; `longest` is in bytes.
    def initialize(boundary, longest)
      @longest = longest
      @pieces = Waiting.new('', LONGEST_GAP, longest)
      @records = Waiting.new("\n", LONGEST_PAUSE, longest)
      return unless boundary

      @starts = boundary.key?('starts')
      @expression = Tributary.expression(boundary.values.first)
    end

    # Adds a line, or a piece of one that is not the last. Gives the lines that are records now.
    def add(line, piece)
      key = [line.path, line.stream]
      return whole(key, line) unless piece || @pieces.key?(key)

      cut = @pieces.add(key, line)
      cut << @pieces.take(key) unless piece
      cut.flat_map { |part| whole(key, part) }
    end

    # Gives what nothing more has come to in time. Times are those of `Line#at`.
    def expired(now, since)
      lines = @pieces.expired(now, since).flat_map { |key, line| whole(key, line) }
      lines + @records.expired(now, since).map(&:last)
    end

    # Gives all that waits.
    def finish
      @pieces.take_all.flat_map { |key, line| whole(key, line) } + @records.take_all.map(&:last)
    end

    private

    def whole(key, line)
      return Waiting.cut(line, @longest) unless @expression

      ended = begins?(line) ? [@records.take(key)].compact : []
      ended + @records.add(key, line)
    end

    def begins?(line)
      @expression.match?(Tributary.text(line.text)) == @starts
    rescue TimedOut
      true
    end
  end
end
