# Names that differ between records. This file is the same for every policy. It uses nothing of Fluentd.

require_relative 'tributary_pipeline'

module Tributary
  # A name of the text that all records have in common, and of values of one.
  class Name
    # `data` is {"beginning": TEXT, "pieces": [{"text": TEXT} or {"path": KEYS} or {"date": FORMAT}], "absent": TEXT, "lowerCase":
    # WHETHER, "dots": TEXT}. The last two say how values are spelled.
    def initialize(data)
      @beginning, @absent, @lower_case, @dots = data.values_at('beginning', 'absent', 'lowerCase', 'dots')
      @pieces = data['pieces'].map { |piece| piece.key?('path') ? Place.new(piece['path']) : piece }
    end

    # What is read from the policy's data: a text as it is, and a name.
    def self.read(data)
      data.is_a?(Hash) && data.key?('beginning') ? new(data) : data
    end

    # The name of a record, whose time is in seconds and nanoseconds.
    def of(record, time)
      @pieces.inject(@beginning.dup) { |name, piece| name << part(piece, record, time) }
    end

    private

    def part(piece, record, time)
      return spelled(value(piece.get(record))) if piece.is_a?(Place)

      piece['text'] || spelled(Time.at(time[0]).utc.strftime(piece['date']))
    end

    def value(found)
      found.is_a?(String) && !found.empty? ? found : @absent
    end

    def spelled(text)
      text = text.downcase if @lower_case
      text.gsub('.', @dots)
    end
  end
end
