# What happens to a record between its source and the outputs. This file is the same for every policy: what a policy says is data, in
# pipeline.json. It uses nothing of Fluentd.

require 'json'

module Tributary
  # A regular expression that takes longer than this on one text, in seconds, is given up, where Ruby can do that.
  LONGEST_SEARCH = 1.0

  def self.expression(source)
    return Regexp.new(source, timeout: LONGEST_SEARCH) if Regexp.respond_to?(:timeout)

    Regexp.new(source)
  end

  TimedOut = defined?(Regexp::TimeoutError) ? Regexp::TimeoutError : Class.new(StandardError)

  # Text as UTF-8, whatever bytes it has.
  def self.text(bytes)
    text = bytes.encoding == Encoding::UTF_8 ? bytes : bytes.dup.force_encoding(Encoding::UTF_8)
    text.valid_encoding? ? text : text.scrub("\uFFFD")
  end

  # The value as a text to compare, or nil for none: objects and lists have none.
  def self.comparable(value)
    case value
    when String then value
    when Integer, true, false then value.to_s
    when Float then value == value.to_i ? value.to_i.to_s : value.to_s
    end
  end

  # A place in a record: the keys that lead there.
  class Place
    def initialize(keys)
      *@parents, @key = keys
    end

    def get(record)
      parent(record)&.fetch(@key, nil)
    end

    def set(record, value)
      holder = @parents.inject(record) { |object, key| object[key] ||= {} }
      holder[@key] = value
    end

    def remove(record)
      parent(record)&.delete(@key)
    end

    private

    def parent(record)
      found = @parents.inject(record) { |object, key| object.is_a?(Hash) ? object[key] : nil }
      found if found.is_a?(Hash)
    end
  end

  # One test of one place. `{"path": [...], "test": "in" | "notIn" | "matches" | "notMatches" | "exists" | "absent", "values": [...]}`
  class Predicate
    def initialize(data)
      @place = Place.new(data['path'])
      @test = data['test']
      values = data['values'] || []
      @expression = Tributary.expression(values.first) if @test.end_with?('atches')
      @values = values.to_h { |value| [value, true] }
    end

    def met?(record)
      value = @place.get(record)
      case @test
      when 'exists' then !value.nil?
      when 'absent' then value.nil?
      when 'in' then in?(value)
      when 'notIn' then !in?(value)
      when 'matches' then match?(value)
      when 'notMatches' then !match?(value)
      else raise ArgumentError, "unknown test #{@test}"
      end
    end

    private

    def in?(value)
      text = Tributary.comparable(value)
      !text.nil? && @values.key?(text)
    end

    def match?(value)
      text = Tributary.comparable(value)
      !text.nil? && @expression.match?(text)
    rescue TimedOut
      false
    end
  end

  # A list of clauses, each a list of predicates of which one is enough.
  class Conditions
    def initialize(clauses)
      @clauses = clauses.map { |clause| clause.map { |predicate| Predicate.new(predicate) } }
    end

    def met?(record)
      @clauses.all? { |clause| clause.any? { |predicate| predicate.met?(record) } }
    end
  end

  # Takes texts apart. Each format gives an object of what was found, or nil.
  module Formats
    STRING = /"(?>[^"\\]+|\\.)*"/m.freeze
    ESCAPE = %r{\\(?:["\\/bfnrt]|u\h{4})}.freeze
    # Every escape, with both halves of a pair of surrogates as one.
    PAIR_OR_ESCAPE = /\\(?:u[Dd][89ABab]\h\h\\u[Dd][C-Fc-f]\h\h|u\h{4}|.)/.freeze
    LONE_SURROGATE = /\A\\u[Dd][89A-Fa-f]\h\h\z/.freeze
    # What stays below the 100 that writers of JSON go down.
    DEPTH = 90
    # Beyond these, no reader of the buffer's format can hold a whole number.
    WHOLE_NUMBERS = (-(2**63)..(2**64 - 1)).freeze

    # Ruby's reader takes comments, unknown escapes and plain control characters, which JSON has not.
    def self.json(text)
      return nil unless text.match?(/\A[ \t\r\n]*\{/)
      return nil if text.include?('\\') && text.gsub(ESCAPE, '').include?('\\')

      outside = text.gsub(STRING, '""')
      return nil if outside.include?('/')
      return nil if text.match?(/[\x00-\x1f]/) && text.scan(STRING).any? { |string| string.match?(/[\x00-\x1f]/) }

      found = JSON.parse(whole(text), max_nesting: DEPTH, create_additions: false, allow_duplicate_key: true)
      found.is_a?(Hash) ? plain(found) : nil
    rescue JSON::ParserError, RangeError
      nil
    end

    # Without halves of characters, of which each version of Ruby's reader makes something else.
    def self.whole(text)
      return text unless text.match?(/\\u[Dd]/)

      text.gsub(PAIR_OR_ESCAPE) { |escape| escape.match?(LONE_SURROGATE) ? '\uFFFD' : escape }
    end

    # Numbers that fit, and texts that are texts.
    def self.plain(value)
      case value
      when Hash then value.to_h { |key, inner| [Tributary.text(key), plain(inner)] }
      when Array then value.map { |inner| plain(inner) }
      when String then Tributary.text(value)
      when Integer then WHOLE_NUMBERS.cover?(value) ? value : plain(value.to_f)
      when Float then value.finite? ? value : raise(RangeError)
      else value
      end
    end

    WORD = /([^\s="]+)=(?:"((?>[^"\\]+|\\.)*)"|([^\s"]*))(?=\s|\z)/m.freeze

    def self.logfmt(text)
      found = {}
      at = text.match?(/\A\s/) ? text.index(/\S/) : 0
      while at && at < text.length
        word = WORD.match(text, at)
        return nil unless word && word.begin(0) == at

        found[word[1]] = word[2] ? word[2].gsub(/\\(["\\])/, '\1') : word[3]
        at = text.index(/\S/, word.end(0))
      end
      found.empty? ? nil : found
    end

    def self.groups(expression, text)
      expression.match(text)&.named_captures&.compact
    rescue TimedOut
      nil
    end
  end

  # What the steps are made from, by the name of their action. Each gives what follows it: the record, or nil for none.
  module Actions
    MESSAGE = ['message'].freeze
    TEXTS_ONLY = [MESSAGE, ['level']].freeze

    def self.parse(action, levels)
      place = Place.new(action['field'])
      format = action['format']
      expression = Tributary.expression(action['expression']) if format == 'regex'
      lambda do |record|
        text = place.get(record)
        found = text.is_a?(String) ? read(format, expression, text) : nil
        if found
          (record['data'] ||= {}).merge!(found)
          levels.set(record)
        end
        record
      end
    end

    def self.read(format, expression, text)
      case format
      when 'json' then Formats.json(text)
      when 'logfmt' then Formats.logfmt(text)
      when 'regex' then Formats.groups(expression, text)
      else raise ArgumentError, "unknown format #{format}"
      end
    end

    def self.redact(action, _levels)
      place = Place.new(action['field'])
      expressions = action['expressions'].map { |source| Tributary.expression(source) }
      replacement = action['replacement']
      lambda do |record|
        text = place.get(record)
        place.set(record, redacted(text, expressions, replacement)) if text.is_a?(String)
        record
      end
    end

    # A text that could not be searched to its end may hold anything.
    def self.redacted(text, expressions, replacement)
      expressions.inject(text) { |rest, expression| rest.gsub(expression) { replacement } }
    rescue TimedOut
      replacement
    end

    def self.set(action, _levels)
      place = Place.new(action['field'])
      lambda do |record|
        place.set(record, action['value'])
        record
      end
    end

    def self.rename(action, _levels)
      from = Place.new(action['from'])
      to = Place.new(action['to'])
      as_text = TEXTS_ONLY.include?(action['to'])
      lambda do |record|
        value = from.get(record)
        value = Tributary.comparable(value) if as_text
        unless value.nil?
          from.remove(record)
          to.set(record, value)
        end
        record
      end
    end

    def self.remove(action, _levels)
      places = action['fields'].map { |field| Place.new(field) }
      lambda do |record|
        places.each { |place| place.remove(record) }
        record
      end
    end

    def self.keep(_action, _levels)
      ->(record) { record }
    end

    def self.drop(_action, _levels)
      ->(_record) {}
    end

    def self.sample(action, _levels)
      kept = action['keptPerMillion']
      ->(record) { rand(1_000_000) < kept ? record : nil }
    end

    def self.throttle(action, _levels)
      most = action['recordsPerSecond']
      places = action['per'].map { |field| Place.new(field) }
      second = nil
      counts = nil
      lambda do |record|
        now = Process.clock_gettime(Process::CLOCK_REALTIME, :second)
        second, counts = now, Hash.new(0) unless now == second
        key = places.map { |place| Tributary.comparable(place.get(record)) }
        (counts[key] += 1) <= most ? record : nil
      end
    end

    NAMES = %w[parse redact set rename remove keep drop sample throttle].freeze
  end

  # Finds the level in what was parsed.
  class Levels
    def initialize(data)
      @keys = data['keys']
      @aliases = data['aliases']
    end

    def set(record)
      found = @keys.lazy.map { |key| record['data'][key] }.find { |value| value.is_a?(String) && !value.empty? }
      return unless found

      name = found.downcase
      record['level'] = @aliases.fetch(name, name)
    end
  end

  # Every step, in its order.
  class Steps
    def initialize(steps, levels)
      @steps = steps.map do |step|
        name = step['action']['do']
        raise ArgumentError, "unknown action #{name}" unless Actions::NAMES.include?(name)

        # `keep` drops the others; with every other action, they pass by.
        [Conditions.new(step['where']), Actions.public_send(name, step['action'], levels), name == 'keep']
      end
    end

    # The record after all steps, or nil when it is dropped. The given one may be changed.
    def apply(record)
      @steps.each do |conditions, action, only|
        if conditions.met?(record)
          record = action.call(record)
          return nil if record.nil?
        elsif only
          return nil
        end
      end
      record
    end
  end

  # Keys in the order of the documentation, whatever happened to the record.
  ORDER = %w[time stream file systemd message level data kubernetes].freeze

  def self.ordered(record)
    ORDER.each_with_object({}) { |key, ordered| ordered[key] = record[key] if record.key?(key) }
  end
end
